"""RPCs of role grants in a world or an account, and of the role a caller has there."""

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import Connection

from qmtl.core.errors import Exhausted
from qmtl.core.roles import Role
from qmtl.rpc.auth.call import current_call
from qmtl.wire.fields import require_text
from qmtl.wire.instants import span_to_proto
from qmtl.wire.paging import page_from_proto, page_of
from qmtl.world.v1 import access_service_pb2 as accessservicepb
from qmtl.world.v1 import access_service_pb2_grpc as accessrpc
from worldservice.worlds.acts import Act, audit_write, caller_of, world_to_write
from worldservice.worlds.domain.roles import (
    Caller,
    Grant,
    account_scope,
    check_regrant,
    check_revoke,
    effective_role,
    require_account_role,
    require_role,
    world_scope,
)
from worldservice.worlds.store import roles, worlds
from worldservice.worlds.wire import grant_to_proto, role_from_proto, role_to_proto
from worldservice.worlds.writes import AuditedServicer, audited

GRANTS_MAX = 1_000
ROLE_TTL = timedelta(seconds=10)  # how long a gateway may go on with a role that was revoked meanwhile


Scoped = (
    accessservicepb.GrantRequest
    | accessservicepb.RevokeRequest
    | accessservicepb.ListGrantsRequest
    | accessservicepb.GetEffectiveRoleRequest
)


class AccessServicer(AuditedServicer, accessrpc.AccessServiceServicer):
    """Only owners of a scope grant and revoke there; the last owner stays."""

    @audited
    async def Grant(self, request: accessservicepb.GrantRequest, act: Act) -> accessservicepb.GrantResponse:
        role = role_from_proto(request.role, "role")
        act, scope = _scoped(request, act)
        grant = Grant(scope, require_text(request.subject, "subject"), role, act.actor, act.now)

        def work(conn: Connection) -> None:
            grants = _owned(conn, act, request)
            check_regrant(grants, grant.subject, role)
            if len(grants) >= GRANTS_MAX and grant.subject not in {held.subject for held in grants}:
                raise Exhausted("E_TOO_MANY_GRANTS", f"{scope} has {GRANTS_MAX} grants, the most it may")
            roles.save_grant(conn, grant)
            audit_write(conn, act, f"{grant.subject} is {role.name.lower()}")

        await self.writes.db.write(work)
        return accessservicepb.GrantResponse(grant=grant_to_proto(grant))

    @audited
    async def Revoke(self, request: accessservicepb.RevokeRequest, act: Act) -> accessservicepb.RevokeResponse:
        subject = require_text(request.subject, "subject")
        act, scope = _scoped(request, act)

        def work(conn: Connection) -> None:
            check_revoke(_owned(conn, act, request), subject)
            roles.delete_grant(conn, scope, subject)
            audit_write(conn, act, f"{subject} has no role")

        await self.writes.db.write(work)
        return accessservicepb.RevokeResponse()

    async def ListGrants(
        self, request: accessservicepb.ListGrantsRequest, context: object
    ) -> accessservicepb.ListGrantsResponse:
        caller, page = caller_of(current_call()), page_from_proto(request, (str,))

        def work(conn: Connection) -> list[Grant]:
            grants = _shown(conn, caller, request, Role.READER)
            return [grant for grant in grants if page.after is None or grant.subject > page.after[0]]

        grants, info = page_of(await self.writes.db.read(work), page, lambda grant: (grant.subject,), grant_to_proto)
        return accessservicepb.ListGrantsResponse(grants=grants, page=info)

    async def GetEffectiveRole(
        self, request: accessservicepb.GetEffectiveRoleRequest, context: object
    ) -> accessservicepb.GetEffectiveRoleResponse:
        caller = caller_of(current_call())
        role = await self.writes.db.read(lambda conn: effective_role(caller, _shown(conn, caller, request, Role.NONE)))
        return accessservicepb.GetEffectiveRoleResponse(
            role=role_to_proto(role), subject=caller.subject, ttl=span_to_proto(ROLE_TTL)
        )


def _scope_of(request: Scoped) -> str:
    """The scope a request names. Raises InvalidRequest (E_FIELD) for an account without a name."""
    if request.WhichOneof("scope") == "account":
        return account_scope(require_text(request.account, "account"))
    return world_scope(request.world_id)


def _scoped(request: Scoped, act: Act) -> tuple[Act, str]:
    """The act as it is audited, and its scope: what is done in an account is no world's."""
    scope = _scope_of(request)
    return (replace(act, world_id=scope) if request.account else act), scope


def _owned(conn: Connection, act: Act, request: Scoped) -> list[Grant]:
    """Grants of a scope that the caller owns. Raises PermissionDenied, NotFound (E_WORLD_UNKNOWN)."""
    if not request.account:
        world_to_write(conn, act, Role.OWNER)
    # locked: of two owners that revoke each other at once, the second finds itself the last
    grants = roles.grants_of(conn, _scope_of(request), lock=True)
    if request.account:
        require_account_role(act.caller, request.account, Role.OWNER, grants)
    return grants


def _shown(conn: Connection, caller: Caller, request: Scoped, want: Role) -> list[Grant]:
    """Grants of a scope in which the caller has a role. Raises PermissionDenied, NotFound (E_WORLD_UNKNOWN)."""
    grants = roles.grants_of(conn, _scope_of(request))
    if request.account:
        require_account_role(caller, request.account, want, grants)
    else:
        require_role(caller, worlds.get_world(conn, request.world_id).world_id, want, grants)
    return grants
