"""Two-phase apply as a model: worldservice's machine between a brokerage, gateways and a network that misbehave.

The machine's own state is only what was committed, so a crash is a step that did not happen, or one whose outside
effect happened and whose commit did not. Every rule may come at any time, in any order.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from qmtl.core.limits import UNLIMITED, RiskLimits
from qmtl.core.modes import EffectiveMode
from tests.worldservice.samples import NOW, binding
from worldservice.activation.domain import activation
from worldservice.activation.domain.activation import Activation, FenceState, confirm, empty
from worldservice.activation.domain.gate_session import GateSession
from worldservice.activation.domain.operator_changes import Change, change_activation
from worldservice.apply.domain.phases import aimed, fence_serves, frozen, opened, switched, with_terms
from worldservice.apply.domain.run import (
    ENDED,
    ApplyRun,
    ApplyState,
    ApplyTimeouts,
    Due,
    Event,
    FenceConfirmed,
    Froze,
    GatesSeen,
    Opened,
    Switched,
    SwitchRefused,
    acked_by,
    advance,
    due,
    late_opening,
    sequence_due,
)
from worldservice.apply.domain.targets import Target
from worldservice.policy.domain.trading_terms import NO_TERMS, Terms
from worldservice.timing import GATE_MARGIN, GATE_TTL
from worldservice.worlds.domain.binding import Side, Stage

LIMITS = ApplyTimeouts(timedelta(seconds=30), timedelta(seconds=5))
BINDINGS = {"s": binding("s", Stage.PAPER), "t": binding("t", Stage.PAPER)}
TARGETS = (Target("t", Side.LONG, 1.0, Stage.PAPER),)
GATEWAYS = ("g1", "g2", "g3")


def trading() -> Activation:
    changes = [Change("s", Side.LONG, active=True, stage=Stage.PAPER)]
    made = change_activation(empty("alpha", NOW), changes, BINDINGS, lambda *_: EffectiveMode.PAPER, NOW)[0]
    return confirm(made, made.fence.epoch)


def requested(run_id: str = "r1", *, ack_opening: bool = True) -> ApplyRun:
    return ApplyRun("alpha", run_id, ApplyState.REQUESTED, TARGETS, ack_opening, "ann", "", NOW)


@dataclass
class Gateway:
    """What a gateway process believes; `until` is when it stops trusting its session."""

    boot: int = 1
    held: Activation | None = None
    until: datetime = NOW
    gated: int | None = None  # epoch of an order that passed the gate and is not sent yet
    paused: bool = False
    deaf: bool = False

    def may_pass(self, now: datetime) -> bool:
        open_entries = self.held is not None and any(entry.active and not entry.freeze for entry in self.held.entries)
        return open_entries and now < self.until


@dataclass
class Broker:
    epoch: int = 0
    state: FenceState = FenceState.FROZEN
    up: bool = True
    limits: RiskLimits = UNLIMITED
    standings: activation.Standings = frozenset()
    sent: list[tuple[str, int]] = field(default_factory=list)
    wire: tuple[str, ...] = ()


class ApplyModel(RuleBasedStateMachine):
    """The store (activation, runs, acks, sessions) is durable; everything else may be lost, late or twice."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.activation = before = trading()
        self.history = [before]
        self.run: ApplyRun | None = None
        self.outcomes: dict[str, ApplyState] = {}
        self.sessions: dict[str, GateSession] = {}
        self.acks: set[tuple[str, str, int]] = set()
        self.flying: list[tuple[str, str, str, int]] = []  # gateway, boot, run, sequence
        self.ceiling = EffectiveMode.PAPER
        self.terms = NO_TERMS
        self.broker = Broker(before.fence.epoch, before.fence.state, standings=before.fence.standings)
        self.gateways = {name: Gateway() for name in GATEWAYS}
        self.shut_since: int | None = None  # how much had been sent when brokerage committed the freeze
        self.runs = 0

    @initialize()
    def all_join(self) -> None:
        for name in GATEWAYS[:2]:
            self.join(name)
        self.apply(ack_opening=True)

    # the gateways

    @rule(name=st.sampled_from(GATEWAYS))
    def join(self, name: str) -> None:
        """A start or a restart: a new boot gets the snapshot in the transaction that stores its session."""
        before = self.gateways[name]
        self.gateways[name] = Gateway(before.boot + 1, self.activation, self.now + GATE_TTL - GATE_MARGIN)
        self.sessions[name] = GateSession(name, str(before.boot + 1), self.now, {}, self.now)

    @rule(name=st.sampled_from(GATEWAYS), heard=st.booleans())
    def renew(self, name: str, heard: bool) -> None:
        """One that is too far behind is not renewed; else what it misses comes with the answer, which may be lost."""
        gateway, session = self.gateways[name], self.sessions.get(name)
        if gateway.paused or session is None or session.boot_id != str(gateway.boot) or gateway.held is None:
            return
        if self.now > session.renewed_at + GATE_TTL + GATE_MARGIN:
            return
        behind = gateway.held.revision < self.activation.revision
        if behind and self.now - self.activation.time > timedelta(seconds=3):
            return
        self.sessions[name] = replace(session, renewed_at=self.now)
        if heard:
            gateway.until = self.now + GATE_TTL - GATE_MARGIN
            if not gateway.deaf:
                self._apply(name, self.activation)

    @rule(name=st.sampled_from(GATEWAYS), back=st.integers(0, 2))
    def hear(self, name: str, back: int) -> None:
        """An event, perhaps an old one again."""
        if not self.gateways[name].paused and not self.gateways[name].deaf:
            self._apply(name, self.history[max(0, len(self.history) - 1 - back)])

    @rule(name=st.sampled_from(GATEWAYS), paused=st.booleans(), deaf=st.booleans())
    def disturb(self, name: str, paused: bool, deaf: bool) -> None:
        self.gateways[name].paused, self.gateways[name].deaf = paused, deaf

    @rule(name=st.sampled_from(GATEWAYS))
    def gate_an_order(self, name: str) -> None:
        gateway = self.gateways[name]
        if not gateway.paused and gateway.may_pass(self.now) and gateway.held is not None:
            gateway.gated = gateway.held.fence.epoch

    @rule(name=st.sampled_from(GATEWAYS))
    def send_what_was_gated(self, name: str) -> None:
        """Any time later, also after a pause: the gateway does not look again."""
        gateway, broker = self.gateways[name], self.broker
        if gateway.gated is None or gateway.paused or not broker.up:
            return
        if gateway.gated == broker.epoch and broker.state is FenceState.OPEN:
            broker.sent.append((name, gateway.gated))
        gateway.gated = None

    @rule()
    def an_emulated_stop_triggers(self) -> None:
        """Brokerage's own act reads the present fence."""
        if self.broker.up and self.broker.state is FenceState.OPEN:
            self.broker.sent.append(("brokerage", self.broker.epoch))

    @rule(index=st.integers(0, 5), times=st.integers(0, 2))
    def acks_arrive(self, index: int, times: int) -> None:
        """Lost, once or twice, in any order, late; a session that is gone is not listened to, an ack names its run."""
        if index < len(self.flying):
            gateway_id, boot_id, run_id, sequence = self.flying[index]
            session = self.sessions.get(gateway_id)
            alive = session is not None and self.now <= session.renewed_at + GATE_TTL + GATE_MARGIN
            mine = self.run is not None and self.run.run_id == run_id
            if times and mine and alive and session is not None and session.boot_id == boot_id:
                self.acks.add((gateway_id, boot_id, sequence))
            if times < 2:
                del self.flying[index]

    # the surroundings

    @rule(steps=st.integers(1, 4), seconds=st.sampled_from([0.2, 0.5, 1.0]))
    def a_calm_while(self, steps: int, seconds: float) -> None:
        """Whoever is not disturbed does what it should."""
        self.broker.up = True
        for _ in range(steps):
            self.now += timedelta(seconds=seconds)
            for name in GATEWAYS:
                self.renew(name, heard=True)
                self.hear(name, back=0)
            for _ in range(len(self.flying)):
                self.acks_arrive(index=0, times=1)
            if self.run is not None:
                self.drive(committed=True)

    @rule(seconds=st.sampled_from([0.2, 1.0, 1.5, 2.5, 4.5, 6.5, 31.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(up=st.booleans(), wire=st.sampled_from([(), ("a/s/1",)]))
    def brokerage_changes(self, up: bool, wire: tuple[str, ...]) -> None:
        self.broker.up, self.broker.wire = up, wire

    @rule(mode=st.sampled_from([EffectiveMode.PAPER, EffectiveMode.COMPUTE_ONLY]), gross=st.sampled_from([None, 1, 2]))
    def the_policy_decides(self, mode: EffectiveMode, gross: int | None) -> None:
        """A re-decision in the middle, perhaps of another policy: modes only fall, limits are what it says."""
        self.ceiling = mode
        self.terms = Terms((), RiskLimits(gross_notional_max=None if gross is None else Decimal(gross)))
        self._commit(activation.narrowed(self.activation, BINDINGS, lambda *_: mode, self.now, self.terms))

    # worldservice

    @precondition(lambda self: self.run is None or self.run.state in ENDED)
    @rule(ack_opening=st.booleans())
    def apply(self, ack_opening: bool) -> None:
        self.runs += 1
        self.run = replace(requested(f"r{self.runs}", ack_opening=ack_opening), created_at=self.now)
        self.acks.clear()

    @precondition(lambda self: self.run is not None)
    @rule(committed=st.booleans())
    def drive(self, committed: bool) -> None:
        """One step; not committed: the process died after what it did outside and before its commit."""
        assert self.run is not None
        match due(self.run, self.activation.fence):
            case Due.FREEZE if committed:
                after = frozen(self.activation, self.run.run_id, self.now)
                self._commit(after)
                self._event(Froze(after.fence.epoch))
            case Due.TELL_FREEZE:
                told = self._set_fence()
                if committed and told is not None:
                    self._event(FenceConfirmed(*told))
                if committed:
                    self._look()
            case Due.ASK_GATES if committed:
                self._look()
            case Due.SWITCH if committed:
                self._switch()
            case Due.TELL_OPENING:
                told = self._set_fence()
                if committed and told is None:
                    self.run = late_opening(self.run, self.now, LIMITS)[0]
            case Due.OPEN if committed:
                self._open()

    # what must hold

    @invariant()
    def nothing_is_sent_between_the_freezes_commit_and_the_reopening(self) -> None:
        if self.shut_since is not None:
            assert len(self.broker.sent) == self.shut_since

    @invariant()
    def nothing_goes_on_without_brokerages_commit(self) -> None:
        run = self.run
        if run is not None and (run.fence_confirmed or run.state in (ApplyState.SWITCHING, ApplyState.UNFREEZING)):
            assert run.fence_confirmed
            assert self.broker.epoch >= run.epoch

    @invariant()
    def a_run_that_ended_keeps_its_outcome(self) -> None:
        if self.run is not None and self.run.state in ENDED:
            assert self.outcomes.setdefault(self.run.run_id, self.run.state) is self.run.state

    @invariant()
    def a_shut_run_leaves_everything_frozen(self) -> None:
        if self.run is not None and self.run.state in (ApplyState.FROZEN, ApplyState.ROLLED_BACK):
            assert all(entry.freeze and not entry.active for entry in self.activation.entries)
            assert self.activation.fence.state is FenceState.FROZEN

    @invariant()
    def nothing_is_open_before_brokerage_has_the_fence_for_it(self) -> None:
        if any(entry.active and not entry.freeze for entry in self.activation.entries) and self.run is not None:
            assert self.run.state in (ApplyState.REQUESTED, ApplyState.UNFREEZING, ApplyState.COMPLETED)

    @invariant()
    def brokerage_holds_the_content_of_every_epoch_it_has(self) -> None:
        """So no order of this epoch is judged by the limits of another policy, or the standings of another time."""
        fence = self.activation.fence
        if self.broker.epoch == fence.epoch:
            assert self.broker.limits == fence.limits
            assert self.broker.standings == fence.standings
        if self.run is not None and self.run.opened and self.run.state not in ENDED:
            assert fence.pending or self.broker.limits == self.activation.terms.limits

    @invariant()
    def who_may_add_is_told_with_the_epoch_that_lets_it(self) -> None:
        adds = [e for e in self.activation.entries if activation.can_trade(e) and not e.drain]
        assert {(entry.strategy_id, entry.side) for entry in adds} <= self.activation.fence.standings

    def _apply(self, name: str, envelope: Activation) -> None:
        gateway = self.gateways[name]
        if gateway.held is None or envelope.revision >= gateway.held.revision:
            gateway.held = envelope
            if envelope.requires_ack:
                self.flying.append((name, str(gateway.boot), envelope.run_id, envelope.sequence))

    def _commit(self, after: Activation) -> None:
        if after is not self.activation:
            self.activation = after
            self.history.append(after)

    def _event(self, event: Event) -> None:
        assert self.run is not None
        self.run, _ = advance(self.run, event, self.now, LIMITS)

    def _look(self) -> None:
        assert self.run is not None
        self._event(GatesSeen(tuple(self.sessions.values()), acked_by(self.acks, sequence_due(self.run))))

    def _set_fence(self) -> tuple[int, tuple[str, ...]] | None:
        fence, broker = self.activation.fence, self.broker
        if not broker.up:
            return None
        assert fence.epoch >= broker.epoch
        if fence.state is not FenceState.FROZEN:
            self._check_who_could_still_send()
        broker.epoch, broker.state = fence.epoch, fence.state
        broker.limits, broker.standings = fence.limits, fence.standings
        self.shut_since = len(broker.sent) if fence.state is FenceState.FROZEN else None
        self.activation = confirm(self.activation, fence.epoch)
        return fence.epoch, broker.wire

    def _check_who_could_still_send(self) -> None:
        """When the fence reopens, no gateway that trusts its session still holds what stood before the freeze."""
        for gateway in self.gateways.values():
            if gateway.held is not None and gateway.may_pass(self.now):
                assert gateway.held.revision >= self.activation.revision - 1

    def _switch(self) -> None:
        if self.ceiling is not EffectiveMode.PAPER:
            self._event(SwitchRefused("E_MODE_CEILING"))
            return
        self._commit(switched(self.activation, self._aim(), self.now))
        self._event(Switched())

    def _open(self) -> None:
        assert self.run is not None
        aim = self._aim()
        behind = with_terms(self.activation, self.terms)
        if not fence_serves(self.activation.fence, aim, behind.fence.limits):
            self._commit(switched(behind, aim, self.now))
            return
        assert self.broker.epoch == self.activation.fence.epoch
        self._commit(opened(behind, aim, self.run.ack_opening, self.now))
        self._event(Opened())

    def _aim(self) -> tuple[activation.Entry, ...]:
        assert self.run is not None
        entries, run_id = self.activation.entries, self.run.run_id
        return aimed(entries, self.run.targets, BINDINGS, lambda *_: self.ceiling, run_id, self.now)


def test_every_outcome_is_reached_by_the_plain_paths() -> None:
    """The model above would hold of a machine that never moves."""
    outcomes = set()
    for up, mode, acks, wait_s in [
        (True, EffectiveMode.PAPER, True, 0.5),
        (True, EffectiveMode.COMPUTE_ONLY, True, 0.5),
        (True, EffectiveMode.PAPER, False, 31.0),
        (False, EffectiveMode.PAPER, True, 31.0),
    ]:
        model = ApplyModel()
        model.all_join()
        model.broker.up = up
        for _ in range(12):
            if model.run is not None and model.run.state is ApplyState.SWITCHING:
                model.the_policy_decides(mode, gross=None)
            model.drive(committed=True)
            model.now += timedelta(seconds=wait_s)
            for name in GATEWAYS[:2]:
                model.sessions[name] = replace(model.sessions[name], renewed_at=model.now)
                model.hear(name, back=0)
            while model.flying:
                model.acks_arrive(index=0, times=1 if acks else 0)
        assert model.run is not None
        outcomes.add((model.run.state, model.run.fence_confirmed, model.run.reason.partition(":")[0]))
    assert outcomes == {
        (ApplyState.COMPLETED, True, ""),
        (ApplyState.ROLLED_BACK, True, "E_MODE_CEILING"),
        (ApplyState.FROZEN, True, "freeze timed out"),
        (ApplyState.FROZEN, False, "freeze timed out"),
    }


ApplyModel.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestApplyModel = ApplyModel.TestCase
