"""RPCs of role grants in a world, and of the role a caller has there."""

from datetime import timedelta

from sqlalchemy import Connection

from qmtl.core.errors import Exhausted
from qmtl.core.roles import Role
from qmtl.rpc.auth.call import current_call
from qmtl.world.v1 import access_service_pb2 as accessservicepb
from qmtl.world.v1 import access_service_pb2_grpc as accessrpc
from worldservice.worlds.acts import Act, audit_write, caller_of, world_to_read, world_to_write
from worldservice.worlds.domain.roles import Grant, check_regrant, check_revoke, effective_role, require_role
from worldservice.worlds.fields import page_from_proto, page_of, require_text, span_to_proto
from worldservice.worlds.store import roles, worlds
from worldservice.worlds.wire import grant_to_proto, role_from_proto, role_to_proto
from worldservice.worlds.writes import AuditedServicer, audited

GRANTS_MAX = 1_000
ROLE_TTL = timedelta(seconds=10)  # how long a gateway may go on with a role that was revoked meanwhile


class AccessServicer(AuditedServicer, accessrpc.AccessServiceServicer):
    """Only owners grant and revoke; the last owner stays."""

    @audited
    async def Grant(self, request: accessservicepb.GrantRequest, act: Act) -> accessservicepb.GrantResponse:
        role = role_from_proto(request.role, "role")
        grant = Grant(act.world_id, require_text(request.subject, "subject"), role, act.actor, act.now)

        def work(conn: Connection) -> None:
            world_to_write(conn, act, Role.OWNER)
            grants = roles.grants_of(conn, act.world_id)
            check_regrant(grants, grant.subject, role)
            if len(grants) >= GRANTS_MAX and grant.subject not in {held.subject for held in grants}:
                raise Exhausted("E_TOO_MANY_GRANTS", f"world {act.world_id} has {GRANTS_MAX} grants, the most it may")
            roles.save_grant(conn, grant)
            audit_write(conn, act, f"{grant.subject} is {role.name.lower()}")

        await self.writes.db.write(work)
        return accessservicepb.GrantResponse(grant=grant_to_proto(grant))

    @audited
    async def Revoke(self, request: accessservicepb.RevokeRequest, act: Act) -> accessservicepb.RevokeResponse:
        subject = require_text(request.subject, "subject")

        def work(conn: Connection) -> None:
            world_to_write(conn, act, Role.OWNER)
            check_revoke(roles.grants_of(conn, act.world_id), subject)
            roles.delete_grant(conn, act.world_id, subject)
            audit_write(conn, act, f"{subject} has no role")

        await self.writes.db.write(work)
        return accessservicepb.RevokeResponse()

    async def ListGrants(
        self, request: accessservicepb.ListGrantsRequest, context: object
    ) -> accessservicepb.ListGrantsResponse:
        caller, page = caller_of(current_call()), page_from_proto(request.page)

        def work(conn: Connection) -> list[Grant]:
            world_to_read(conn, caller, request.world_id)
            return [grant for grant in roles.grants_of(conn, request.world_id) if grant.subject > page.after]

        shown, info = page_of(await self.writes.db.read(work), page, lambda grant: grant.subject)
        return accessservicepb.ListGrantsResponse(grants=[grant_to_proto(grant) for grant in shown], page=info)

    async def GetEffectiveRole(
        self, request: accessservicepb.GetEffectiveRoleRequest, context: object
    ) -> accessservicepb.GetEffectiveRoleResponse:
        caller = caller_of(current_call())

        def work(conn: Connection) -> Role:
            world = worlds.get_world(conn, request.world_id)
            grants = roles.grants_of(conn, world.world_id)
            require_role(caller, world.world_id, Role.NONE, grants)
            return effective_role(caller, grants)

        role = await self.writes.db.read(work)
        return accessservicepb.GetEffectiveRoleResponse(
            role=role_to_proto(role), subject=caller.subject, ttl=span_to_proto(ROLE_TTL)
        )
