"""RPCs of bindings, role grants and the audit log."""

import itertools
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import Connection

from qmtl.core.errors import Exhausted, NotFound
from qmtl.rpc.auth.call import current_call
from qmtl.world.v1 import service_pb2 as pb
from worldservice.activation.domain.activation import Activation
from worldservice.activation.domain.history import rebuild
from worldservice.activation.narrowing import narrow
from worldservice.activation.recording import Narrowed
from worldservice.activation.store import activations
from worldservice.activation.wire import activation_to_proto
from worldservice.bindings.recent_decisions import Noted
from worldservice.bindings.stamps import stamp_of
from worldservice.bindings.wire import binding_to_proto
from worldservice.evaluation import store as evaluation_store
from worldservice.evaluation.domain.decision import Decision
from worldservice.evaluation.wire import decision_to_proto
from worldservice.graph.domain.edges import Opened
from worldservice.graph.domain.nodes import require_node_ids
from worldservice.graph.store import edges
from worldservice.graph.store.edges import opened_now
from worldservice.worlds.acts import Act, audit_write, audited, caller_of, on_behalf_of, world_to_read, world_to_write
from worldservice.worlds.domain.audit import AuditRow
from worldservice.worlds.domain.binding import BOTH_SIDES, Binding, BindingState, Side, Stage, require_strategy_id
from worldservice.worlds.domain.paging import Page
from worldservice.worlds.domain.roles import Grant, Role, check_regrant, check_revoke, effective_role, require_role
from worldservice.worlds.domain.world import World, require_active
from worldservice.worlds.fields import BIG_MAX, optional_text, page_from_proto, page_of, require_text, span_to_proto
from worldservice.worlds.service.audit import audit_to_proto
from worldservice.worlds.store import audit, roles, worlds
from worldservice.worlds.store import bindings as bindings_store
from worldservice.worlds.wire import grant_to_proto, role_from_proto, role_to_proto, sides_from_proto
from worldservice.worlds.writes import House

BINDINGS_MAX = 2_000  # with both sides of each, an activation still fits into one control event
GRANTS_MAX = 1_000
ROLE_TTL = timedelta(seconds=10)  # how long a gateway may go on with a role that was revoked meanwhile


class AccessCalls:
    """Who and what belongs to a world."""

    house: House

    @audited
    async def BindStrategy(self, request: pb.BindStrategyRequest, act: Act) -> pb.BindStrategyResponse:
        require_strategy_id(request.strategy_id)
        sides = sides_from_proto(request.sides, "sides") if request.sides else None
        nodes = require_node_ids(request.node_ids, "node_ids")
        named = on_behalf_of(act, optional_text(request.on_behalf_of, "on_behalf_of"))

        def work(conn: Connection) -> tuple[Binding, Decision, Narrowed | None, Noted | None]:
            world, binding, idle = _bind(conn, named, request.strategy_id, sides)
            if nodes and edges.save_nodes(conn, world.world_id, request.strategy_id, nodes):
                idle = idle and not evaluation_store.was_evaluated(conn, world.world_id, request.strategy_id)
            decided = self._decided(conn, world, named, idle=idle)
            audit_write(conn, named, f"bound at {binding.stage.value}")
            return binding, *decided

        binding, decision, settled, noted = await self.house.db.write(work)
        if noted is not None:
            self.house.recent.note(noted)
        if settled is not None:
            await self.house.enforce(settled)
        return pb.BindStrategyResponse(binding=binding_to_proto(binding), decision=decision_to_proto(decision))

    @audited
    async def UnbindStrategy(self, request: pb.UnbindStrategyRequest, act: Act) -> pb.UnbindStrategyResponse:
        require_strategy_id(request.strategy_id)
        named = on_behalf_of(act, optional_text(request.on_behalf_of, "on_behalf_of"))

        def work(conn: Connection) -> tuple[Binding, Narrowed]:
            world = world_to_write(conn, named, Role.OPERATOR)
            found = bindings_store.find_binding(conn, world.world_id, request.strategy_id)
            if found is None:
                raise NotFound("E_BINDING_UNKNOWN", f"{request.strategy_id} was never bound to {world.world_id}")
            removed = replace(found, state=BindingState.REMOVED, stage=Stage.BACKTEST)
            bindings_store.save_binding(conn, removed)
            edges.forget_strategy(conn, world.world_id, request.strategy_id)
            settled = narrow(conn, world, self.house.rules, named)
            audit_write(conn, named, "removed")
            return removed, settled

        binding, settled = await self.house.db.write(work)
        await self.house.enforce(settled)
        return pb.UnbindStrategyResponse(binding=binding_to_proto(binding))

    async def ListBindings(self, request: pb.ListBindingsRequest, context: object) -> pb.ListBindingsResponse:
        caller, page = caller_of(current_call()), page_from_proto(request.page)

        def work(conn: Connection) -> tuple[list[Binding], Opened]:
            world = world_to_read(conn, caller, request.world_id)
            return bindings_store.list_bindings(conn, world.world_id, page), opened_now(conn, world)

        found, opened = await self.house.db.read(work)
        shown, info = page_of(found, page, lambda binding: binding.strategy_id)
        bindings = [binding_to_proto(binding, opened.get(binding.strategy_id, ())) for binding in shown]
        return pb.ListBindingsResponse(bindings=bindings, page=info)

    @audited
    async def Grant(self, request: pb.GrantRequest, act: Act) -> pb.GrantResponse:
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

        await self.house.db.write(work)
        return pb.GrantResponse(grant=grant_to_proto(grant))

    @audited
    async def Revoke(self, request: pb.RevokeRequest, act: Act) -> pb.RevokeResponse:
        subject = require_text(request.subject, "subject")

        def work(conn: Connection) -> None:
            world_to_write(conn, act, Role.OWNER)
            check_revoke(roles.grants_of(conn, act.world_id), subject)
            roles.delete_grant(conn, act.world_id, subject)
            audit_write(conn, act, f"{subject} has no role")

        await self.house.db.write(work)
        return pb.RevokeResponse()

    async def ListGrants(self, request: pb.ListGrantsRequest, context: object) -> pb.ListGrantsResponse:
        caller, page = caller_of(current_call()), page_from_proto(request.page)

        def work(conn: Connection) -> list[Grant]:
            world_to_read(conn, caller, request.world_id)
            return [grant for grant in roles.grants_of(conn, request.world_id) if grant.subject > page.after]

        shown, info = page_of(await self.house.db.read(work), page, lambda grant: grant.subject)
        return pb.ListGrantsResponse(grants=[grant_to_proto(grant) for grant in shown], page=info)

    async def GetEffectiveRole(
        self, request: pb.GetEffectiveRoleRequest, context: object
    ) -> pb.GetEffectiveRoleResponse:
        caller = caller_of(current_call())

        def work(conn: Connection) -> Role:
            world = worlds.get_world(conn, request.world_id)
            grants = roles.grants_of(conn, world.world_id)
            require_role(caller, world.world_id, Role.NONE, grants)
            return effective_role(caller, grants)

        role = await self.house.db.read(work)
        return pb.GetEffectiveRoleResponse(
            role=role_to_proto(role), subject=caller.subject, ttl=span_to_proto(ROLE_TTL)
        )

    async def ListAudit(self, request: pb.ListAuditRequest, context: object) -> pb.ListAuditResponse:
        caller, page = caller_of(current_call()), page_from_proto(request.page, numeric=True)

        def work(conn: Connection) -> tuple[list[AuditRow], Page]:
            world_to_read(conn, caller, request.world_id)
            fitting = audit.audit_page(conn, request.world_id, page)
            return audit.list_audit(conn, request.world_id, fitting), fitting

        rows, fitting = await self.house.db.read(work)
        shown, info = page_of(rows, fitting, lambda row: str(row.sequence))
        return pb.ListAuditResponse(entries=[audit_to_proto(row) for row in shown], page=info)

    async def RebuildActivation(
        self, request: pb.RebuildActivationRequest, context: object
    ) -> pb.RebuildActivationResponse:
        caller, world_id = caller_of(current_call()), request.world_id
        wanted = min(request.revision, BIG_MAX)

        def work(conn: Connection) -> tuple[Activation, Activation, int]:
            world, count = world_to_read(conn, caller, world_id), itertools.count()
            records = (record for record, _ in zip(audit.records_until(conn, world_id, wanted), count, strict=False))
            stored = activations.load_activation(conn, world_id, world.created_at)
            return rebuild(world_id, world.created_at, records), stored, next(count)

        rebuilt, stored, count = await self.house.db.read(work)
        if request.revision and rebuilt.revision != request.revision:
            raise NotFound("E_REVISION_UNKNOWN", f"the audit log of {world_id} has no revision {request.revision}")
        return pb.RebuildActivationResponse(
            activation=activation_to_proto(rebuilt, ()), same_as_stored=rebuilt == stored, records=count
        )

    def _decided(
        self, conn: Connection, world: World, act: Act, *, idle: bool
    ) -> tuple[Decision, Narrowed | None, Noted | None]:
        """The decision a bind answers with: an idle one that of the last moment if it still stands, else a new one.

        A new one may be told again unless it opened or closed a session: then it names the as_of of before.
        """
        before = stamp_of(conn, world)
        recent = self.house.recent.of(world.world_id, before, self.house.clock.now()) if idle else None
        if recent is not None:
            return recent, None, None
        settled = narrow(conn, world, self.house.rules, act)
        decision, after = settled.verdicts.decision, stamp_of(conn, world)
        return decision, settled, Noted(decision, after) if after.sessions == before.sessions else None


def _bind(conn: Connection, act: Act, strategy_id: str, sides: frozenset[Side] | None) -> tuple[World, Binding, bool]:
    """The world, the binding, and whether it leaves the decision as it was.

    Binding again what is bound keeps its stage, and the sides unless named; what was removed starts at BACKTEST again.
    A strategy without evaluation is never selected, so one more beside others changes nothing for anybody.
    """
    world = world_to_write(conn, act, Role.OPERATOR)
    require_active(world)
    found = bindings_store.find_binding(conn, world.world_id, strategy_id)
    if found is not None and found.state is BindingState.ACTIVE:
        again = replace(found, sides=sides or found.sides)
        if again != found:
            bindings_store.save_binding(conn, again)
        return world, again, again == found
    others = bindings_store.count_active_bindings(conn, world.world_id)
    if others >= BINDINGS_MAX:
        raise Exhausted("E_TOO_MANY_BINDINGS", f"world {world.world_id} has {BINDINGS_MAX} strategies, the most it may")
    fresh = Binding(
        world.world_id, strategy_id, Stage.BACKTEST, BindingState.ACTIVE, sides or BOTH_SIDES, act.actor, act.now
    )
    bindings_store.save_binding(conn, fresh)
    return world, fresh, others > 0 and not evaluation_store.was_evaluated(conn, world.world_id, strategy_id)
