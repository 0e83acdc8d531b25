"""RPCs of bindings: a strategy enters a world, leaves it, and is approved to go live."""

from dataclasses import replace

from sqlalchemy import Connection

from qmtl.core.errors import Exhausted, NotFound, NotReady, PermissionDenied, refused
from qmtl.core.roles import Role
from qmtl.rpc.auth.call import current_call
from qmtl.wire.fields import optional_text
from qmtl.wire.instants import instant_from_proto
from qmtl.wire.paging import page_from_proto, page_of
from qmtl.world.v1 import binding_service_pb2 as bindingservicepb
from qmtl.world.v1 import binding_service_pb2_grpc as bindingrpc
from worldservice.activation.narrowing import narrow
from worldservice.bindings.recent_decisions import Noted, RecentDecisions
from worldservice.bindings.stamps import stamp_of
from worldservice.bindings.wire import binding_to_proto
from worldservice.evaluation import store as evaluation_store
from worldservice.evaluation.domain.decision import Decision, DecisionSettings
from worldservice.evaluation.replay import store as replays
from worldservice.evaluation.wire import decision_to_proto
from worldservice.graph.domain.edges import Opened
from worldservice.graph.domain.nodes import require_node_ids
from worldservice.graph.store import edges
from worldservice.graph.store.edges import opened_now
from worldservice.policy.domain.governance import LivePromotion
from worldservice.policy.domain.policy import Policy
from worldservice.policy.store import policy_of
from worldservice.worlds.acts import Act, audit_write, caller_of, on_behalf_of, world_to_read, world_to_write
from worldservice.worlds.domain.binding import (
    BOTH_SIDES,
    Approval,
    Binding,
    BindingState,
    Side,
    Stage,
    require_strategy_id,
)
from worldservice.worlds.domain.world import Effect, World, require_active
from worldservice.worlds.store import approvals
from worldservice.worlds.store import bindings as bindings_store
from worldservice.worlds.wire import approval_to_proto, sides_from_proto
from worldservice.worlds.writes import AuditedServicer, Writes, audited

BINDINGS_MAX = 2_000  # with both sides of each, an activation still fits into one control event


class BindingServicer(AuditedServicer, bindingrpc.BindingServiceServicer):
    """A binding answers with the decision on its world, so that nobody has to ask for it again."""

    def __init__(self, writes: Writes, settings: DecisionSettings) -> None:
        super().__init__(writes)
        self._settings = settings
        self._recent = RecentDecisions()

    @audited
    async def BindStrategy(
        self, request: bindingservicepb.BindStrategyRequest, act: Act
    ) -> bindingservicepb.BindStrategyResponse:
        require_strategy_id(request.strategy_id)
        sides = sides_from_proto(request.sides, "sides") if request.sides else None
        nodes = require_node_ids(request.node_ids, "node_ids")
        named = on_behalf_of(act, optional_text(request.on_behalf_of, "on_behalf_of"))

        def work(conn: Connection) -> tuple[World, Binding, Decision, Effect | None, Noted | None]:
            world, binding, idle, evaluated = _bind(conn, named, request.strategy_id, sides)
            if nodes and edges.save_nodes(conn, world.world_id, request.strategy_id, nodes):
                idle = idle and not evaluated
            decided = self._decided(conn, world, named, idle=idle)
            audit_write(conn, named, f"bound at {binding.stage.value}")
            return world, binding, *decided

        world, binding, decision, effect, noted = await self.writes.db.write(work)
        if noted is not None:
            self._recent.note(noted)
        await self.writes.enforce(binding.world_id, effect)
        return bindingservicepb.BindStrategyResponse(
            binding=binding_to_proto(binding), decision=decision_to_proto(decision), data_presets=world.data_presets
        )

    @audited
    async def UnbindStrategy(
        self, request: bindingservicepb.UnbindStrategyRequest, act: Act
    ) -> bindingservicepb.UnbindStrategyResponse:
        require_strategy_id(request.strategy_id)
        named = on_behalf_of(act, optional_text(request.on_behalf_of, "on_behalf_of"))

        def work(conn: Connection) -> tuple[Binding, Effect]:
            world = world_to_write(conn, named, Role.OPERATOR)
            found = bindings_store.find_binding(conn, world.world_id, request.strategy_id)
            if found is None:
                raise NotFound("E_BINDING_UNKNOWN", f"{request.strategy_id} was never bound to {world.world_id}")
            removed = replace(found, state=BindingState.REMOVED, stage=Stage.BACKTEST)
            bindings_store.save_binding(conn, removed)
            edges.forget_strategy(conn, world.world_id, request.strategy_id)
            replays.forget_strategy(conn, world.world_id, request.strategy_id)
            effect = self.writes.narrow(conn, world, named)
            audit_write(conn, named, "removed")
            return removed, effect

        binding, effect = await self.writes.db.write(work)
        await self.writes.enforce(binding.world_id, effect)
        return bindingservicepb.UnbindStrategyResponse(binding=binding_to_proto(binding))

    async def ListBindings(
        self, request: bindingservicepb.ListBindingsRequest, context: object
    ) -> bindingservicepb.ListBindingsResponse:
        caller, page = caller_of(current_call()), page_from_proto(request, (str,))

        def work(conn: Connection) -> tuple[list[Binding], Opened]:
            world = world_to_read(conn, caller, request.world_id)
            return bindings_store.list_bindings(conn, world.world_id, page), opened_now(conn, world)

        found, opened = await self.writes.db.read(work)
        bindings, info = page_of(
            found,
            page,
            lambda binding: (binding.strategy_id,),
            lambda binding: binding_to_proto(binding, opened.get(binding.strategy_id, ())),
        )
        return bindingservicepb.ListBindingsResponse(bindings=bindings, page=info)

    @audited
    async def ApproveLive(
        self, request: bindingservicepb.ApproveLiveRequest, act: Act
    ) -> bindingservicepb.ApproveLiveResponse:
        require_strategy_id(request.strategy_id)
        reason = optional_text(request.message, "reason")
        expires = instant_from_proto(request.expires_at, "expires_at") if request.HasField("expires_at") else None
        if expires is not None and expires <= act.now:
            raise refused("E_TIME_RANGE", "expires_at", expires.isoformat(), "a time to come")
        approval = Approval(act.world_id, request.strategy_id, act.actor, reason, act.now, expires)

        def work(conn: Connection) -> Effect:
            world = world_to_write(conn, act, Role.OWNER)
            bindings_store.get_active_binding(conn, world.world_id, approval.strategy_id)
            _refuse_disabled(policy_of(conn, world))
            approvals.save_approval(conn, approval)
            return self._narrowed(conn, act, world, f"{approval.strategy_id} may go live: {reason}")

        await self.writes.enforce(act.world_id, await self.writes.db.write(work))
        return bindingservicepb.ApproveLiveResponse(approval=approval_to_proto(approval))

    @audited
    async def RevokeLive(
        self, request: bindingservicepb.RevokeLiveRequest, act: Act
    ) -> bindingservicepb.RevokeLiveResponse:
        require_strategy_id(request.strategy_id)
        reason = optional_text(request.message, "reason")

        def work(conn: Connection) -> tuple[Approval, Effect]:
            world = world_to_write(conn, act, Role.OPERATOR)
            found = approvals.find_approval(conn, world.world_id, request.strategy_id)
            if found is None:
                raise NotFound("E_APPROVAL_UNKNOWN", f"{request.strategy_id} was never approved here")
            revoked = found if found.revoked_at is not None else replace(found, revoked_at=act.now)
            approvals.save_approval(conn, revoked)
            return revoked, self._narrowed(conn, act, world, f"{request.strategy_id} may not go live: {reason}")

        approval, effect = await self.writes.db.write(work)
        await self.writes.enforce(act.world_id, effect)
        return bindingservicepb.RevokeLiveResponse(approval=approval_to_proto(approval))

    def _narrowed(self, conn: Connection, act: Act, world: World, detail: str) -> Effect:
        effect = self.writes.narrow(conn, world, act)
        audit_write(conn, act, detail)
        return effect

    def _decided(
        self, conn: Connection, world: World, act: Act, *, idle: bool
    ) -> tuple[Decision, Effect | None, Noted | None]:
        """The decision a bind answers with: an idle one that of the last moment if it still stands, else a new one.

        A new one may be told again unless it opened or closed a session: then it names the as_of of before.
        """
        before = stamp_of(conn, world)
        recent = self._recent.of(world.world_id, before, self.writes.clock.now()) if idle else None
        if recent is not None:
            return recent, None, None
        narrowed = narrow(conn, world, self._settings, act)
        decision, after = narrowed.verdicts.decision, stamp_of(conn, world)
        return decision, narrowed.effect, Noted(decision, after) if after.sessions == before.sessions else None


def _bind(
    conn: Connection, act: Act, strategy_id: str, sides: frozenset[Side] | None
) -> tuple[World, Binding, bool, bool]:
    """The world, the binding, whether it leaves the decision as it was, and whether the strategy was ever evaluated.

    Binding again what is bound keeps its stage, and the sides unless named; what was removed starts at BACKTEST again.
    A strategy without evaluation is never selected, so one more beside others changes nothing for anybody.
    """
    world = world_to_write(conn, act, Role.OPERATOR)
    require_active(world)
    others = bindings_store.ask_active_bindings(conn, world.world_id)
    runs = evaluation_store.ask_evaluated(conn, world.world_id, strategy_id)
    found = bindings_store.find_binding(conn, world.world_id, strategy_id)
    evaluated = runs()
    if found is not None and found.state is BindingState.ACTIVE:
        again = replace(found, sides=sides or found.sides)
        if again != found:
            bindings_store.save_binding(conn, again)
        return world, again, again == found, evaluated
    if others() >= BINDINGS_MAX:
        raise Exhausted("E_TOO_MANY_BINDINGS", f"world {world.world_id} has {BINDINGS_MAX} strategies, the most it may")
    fresh = Binding(
        world.world_id, strategy_id, Stage.BACKTEST, BindingState.ACTIVE, sides or BOTH_SIDES, act.actor, act.now
    )
    bindings_store.save_binding(conn, fresh)
    return world, fresh, others() > 0 and not evaluated, evaluated


def _refuse_disabled(policy: Policy | None) -> None:
    if policy is not None and policy.live_promotion is LivePromotion.DISABLED:
        raise NotReady(
            "E_LIVE_PROMOTION_DISABLED",
            "the world's policy says governance.live_promotion.mode: disabled",
            hint="an owner makes a policy with manual_approval the default first",
        )
    if policy is not None and policy.campaign is not None and policy.governance.two_person:
        raise PermissionDenied(
            "E_TWO_PERSON",
            "ApproveLive is one act of one person, and the world's policy wants two",
            hint="one person asks for a promotion, another one approves it",
        )
