"""RPCs of bindings, role grants and the audit log."""

import itertools
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import Connection

from qmtl.core.errors import Exhausted, NotFound, NotReady
from qmtl.rpc.context import current_call
from qmtl.world.v1 import service_pb2 as pb
from worldservice import activations, edges, runs, store
from worldservice.acts import Act, audited, caller_of, commit, enter, look, on_behalf_of
from worldservice.domain.access import Grant, Role, check_regrant, check_revoke, effective_role, require_role
from worldservice.domain.activation import Activation
from worldservice.domain.decisions import Decision
from worldservice.domain.edges import Opened
from worldservice.domain.graph import require_node_ids
from worldservice.domain.history import rebuild
from worldservice.domain.records import AuditRow, Page
from worldservice.domain.worlds import (
    BOTH_SIDES,
    Binding,
    BindingState,
    Side,
    Stage,
    World,
    WorldState,
    require_strategy_id,
)
from worldservice.house import House, Noted
from worldservice.settling import Settled, opened_now, settle
from worldservice.stamps import stamp_of
from worldservice.wire import (
    BIG_MAX,
    optional_text,
    page_from_proto,
    page_of,
    require_text,
    sides_from_proto,
    span_to_proto,
)
from worldservice.wire_activation import activation_to_proto
from worldservice.wire_decisions import decision_to_proto
from worldservice.wire_history import audit_to_proto
from worldservice.wire_worlds import (
    binding_to_proto,
    grant_to_proto,
    role_from_proto,
    role_to_proto,
)

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

        def work(conn: Connection) -> tuple[Binding, Decision, Settled | None, Noted | None]:
            world, binding, idle = _bind(conn, named, request.strategy_id, sides)
            if nodes and edges.tell_nodes(conn, world.world_id, request.strategy_id, nodes):
                idle = idle and not runs.was_evaluated(conn, world.world_id, request.strategy_id)
            decided = self._decided(conn, world, named, idle=idle)
            commit(conn, named, f"bound at {binding.stage.value}")
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

        def work(conn: Connection) -> tuple[Binding, Settled]:
            world = enter(conn, named, Role.OPERATOR)
            found = store.find_binding(conn, world.world_id, request.strategy_id)
            if found is None:
                raise NotFound("E_BINDING_UNKNOWN", f"{request.strategy_id} was never bound to {world.world_id}")
            removed = replace(found, state=BindingState.REMOVED, stage=Stage.BACKTEST)
            store.save_binding(conn, removed)
            edges.forget_strategy(conn, world.world_id, request.strategy_id)
            settled = settle(conn, world, self.house.rules, named)
            commit(conn, named, "removed")
            return removed, settled

        binding, settled = await self.house.db.write(work)
        await self.house.enforce(settled)
        return pb.UnbindStrategyResponse(binding=binding_to_proto(binding))

    async def ListBindings(self, request: pb.ListBindingsRequest, context: object) -> pb.ListBindingsResponse:
        caller, page = caller_of(current_call()), page_from_proto(request.page)

        def work(conn: Connection) -> tuple[list[Binding], Opened]:
            world = look(conn, caller, request.world_id)
            return store.list_bindings(conn, world.world_id, page), opened_now(conn, world)

        found, opened = await self.house.db.read(work)
        shown, info = page_of(found, page, lambda binding: binding.strategy_id)
        bindings = [binding_to_proto(binding, opened.get(binding.strategy_id, ())) for binding in shown]
        return pb.ListBindingsResponse(bindings=bindings, page=info)

    @audited
    async def Grant(self, request: pb.GrantRequest, act: Act) -> pb.GrantResponse:
        role = role_from_proto(request.role, "role")
        grant = Grant(act.world_id, require_text(request.subject, "subject"), role, act.actor, act.now)

        def work(conn: Connection) -> None:
            enter(conn, act, Role.OWNER)
            grants = store.grants_of(conn, act.world_id)
            check_regrant(grants, grant.subject, role)
            if len(grants) >= GRANTS_MAX and grant.subject not in {held.subject for held in grants}:
                raise Exhausted("E_TOO_MANY_GRANTS", f"world {act.world_id} has {GRANTS_MAX} grants, the most it may")
            store.save_grant(conn, grant)
            commit(conn, act, f"{grant.subject} is {role.name.lower()}")

        await self.house.db.write(work)
        return pb.GrantResponse(grant=grant_to_proto(grant))

    @audited
    async def Revoke(self, request: pb.RevokeRequest, act: Act) -> pb.RevokeResponse:
        subject = require_text(request.subject, "subject")

        def work(conn: Connection) -> None:
            enter(conn, act, Role.OWNER)
            check_revoke(store.grants_of(conn, act.world_id), subject)
            store.delete_grant(conn, act.world_id, subject)
            commit(conn, act, f"{subject} has no role")

        await self.house.db.write(work)
        return pb.RevokeResponse()

    async def ListGrants(self, request: pb.ListGrantsRequest, context: object) -> pb.ListGrantsResponse:
        caller, page = caller_of(current_call()), page_from_proto(request.page)

        def work(conn: Connection) -> list[Grant]:
            look(conn, caller, request.world_id)
            return [grant for grant in store.grants_of(conn, request.world_id) if grant.subject > page.after]

        shown, info = page_of(await self.house.db.read(work), page, lambda grant: grant.subject)
        return pb.ListGrantsResponse(grants=[grant_to_proto(grant) for grant in shown], page=info)

    async def GetEffectiveRole(
        self, request: pb.GetEffectiveRoleRequest, context: object
    ) -> pb.GetEffectiveRoleResponse:
        caller = caller_of(current_call())

        def work(conn: Connection) -> Role:
            world = store.get_world(conn, request.world_id)
            grants = store.grants_of(conn, world.world_id)
            require_role(caller, world.world_id, Role.NONE, grants)
            return effective_role(caller, grants)

        role = await self.house.db.read(work)
        return pb.GetEffectiveRoleResponse(
            role=role_to_proto(role), subject=caller.subject, ttl=span_to_proto(ROLE_TTL)
        )

    async def ListAudit(self, request: pb.ListAuditRequest, context: object) -> pb.ListAuditResponse:
        caller, page = caller_of(current_call()), page_from_proto(request.page, numeric=True)

        def work(conn: Connection) -> tuple[list[AuditRow], Page]:
            look(conn, caller, request.world_id)
            fitting = store.audit_page(conn, request.world_id, page)
            return store.list_audit(conn, request.world_id, fitting), fitting

        rows, fitting = await self.house.db.read(work)
        shown, info = page_of(rows, fitting, lambda row: str(row.sequence))
        return pb.ListAuditResponse(entries=[audit_to_proto(row) for row in shown], page=info)

    async def RebuildActivation(
        self, request: pb.RebuildActivationRequest, context: object
    ) -> pb.RebuildActivationResponse:
        caller, world_id = caller_of(current_call()), request.world_id
        wanted = min(request.revision, BIG_MAX)

        def work(conn: Connection) -> tuple[Activation, Activation, int]:
            world, count = look(conn, caller, world_id), itertools.count()
            records = (record for record, _ in zip(store.records_until(conn, world_id, wanted), count, strict=False))
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
    ) -> tuple[Decision, Settled | None, Noted | None]:
        """The decision a bind answers with: an idle one that of the last moment if it still stands, else a new one.

        A new one may be told again unless it opened or closed a session: then it names the as_of of before.
        """
        before = stamp_of(conn, world)
        recent = self.house.recent.of(world.world_id, before, self.house.clock.now()) if idle else None
        if recent is not None:
            return recent, None, None
        settled = settle(conn, world, self.house.rules, act)
        decision, after = settled.verdicts.decision, stamp_of(conn, world)
        return decision, settled, Noted(decision, after) if after.sessions == before.sessions else None


def _bind(conn: Connection, act: Act, strategy_id: str, sides: frozenset[Side] | None) -> tuple[World, Binding, bool]:
    """The world, the binding, and whether it leaves the decision as it was.

    Binding again what is bound keeps its stage, and the sides unless named; what was removed starts at BACKTEST again.
    A strategy without evaluation is never selected, so one more beside others changes nothing for anybody.
    """
    world = enter(conn, act, Role.OPERATOR)
    if world.state is not WorldState.ACTIVE:
        raise NotReady(f"E_WORLD_{world.state.value}", f"world {world.world_id} is {world.state.value}, want ACTIVE")
    found = store.find_binding(conn, world.world_id, strategy_id)
    if found is not None and found.state is BindingState.ACTIVE:
        again = replace(found, sides=sides or found.sides)
        if again != found:
            store.save_binding(conn, again)
        return world, again, again == found
    others = store.count_active_bindings(conn, world.world_id)
    if others >= BINDINGS_MAX:
        raise Exhausted("E_TOO_MANY_BINDINGS", f"world {world.world_id} has {BINDINGS_MAX} strategies, the most it may")
    fresh = Binding(
        world.world_id, strategy_id, Stage.BACKTEST, BindingState.ACTIVE, sides or BOTH_SIDES, act.actor, act.now
    )
    store.save_binding(conn, fresh)
    return world, fresh, others > 0 and not runs.was_evaluated(conn, world.world_id, strategy_id)
