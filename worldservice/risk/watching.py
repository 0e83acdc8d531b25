"""Judges each new snapshot of a world by its policy's risk section: moves breaches, and leads out where a rule asks.

All in the transaction that stores the snapshot: activation, epoch, audit and events of an exit commit with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import structlog
from sqlalchemy import Connection

from qmtl.core.modes import EffectiveMode
from worldservice.activation.domain.activation import Activation, Phase
from worldservice.activation.domain.exits import led_out, takes_risk
from worldservice.activation.domain.hold import HoldState
from worldservice.activation.recording import record_activation
from worldservice.activation.store import activations
from worldservice.activation.store.holds import find_hold
from worldservice.evaluation.domain.decision import DecisionSettings
from worldservice.evaluation.facts import decide_world
from worldservice.metrics import WorldMetrics
from worldservice.policy.domain.risk.terms import ExitAct, ExitRule, ExitTarget, RiskTerms
from worldservice.policy.store import policy_of
from worldservice.risk.domain.breaches.breach import CLOSED, Breach, BreachState, acted, acts, moved, watched
from worldservice.risk.domain.breaches.rules import Finding, findings, holds, largest_component
from worldservice.risk.domain.header import SnapshotHeader
from worldservice.risk.domain.report import RiskReport, risk_report
from worldservice.risk.domain.scope import ScopeKind
from worldservice.risk.domain.snapshot import CASH, RiskStage, Snapshot
from worldservice.risk.events import exit_signal, risk_breached
from worldservice.risk.intake import Arrival
from worldservice.risk.store import breaches
from worldservice.tables import outbox
from worldservice.worlds.acts import Act, audit_write, own_act
from worldservice.worlds.domain.world import Effect, World
from worldservice.worlds.store.worlds import get_world

TOLD = frozenset({BreachState.BREACHED, BreachState.ACTED, BreachState.CLEARED})
MODE_OF = {RiskStage.PAPER: EffectiveMode.PAPER, RiskStage.LIVE: EffectiveMode.LIVE}
log = structlog.stdlib.get_logger("qmtl.worldservice.risk")


@dataclass(frozen=True, slots=True)
class RiskWatch:
    """The judge of snapshots. A scope without rules, and every account, is only reported on."""

    settings: DecisionSettings
    metrics: WorldMetrics

    def judge(self, conn: Connection, act: Act, arrived: Arrival, header: SnapshotHeader) -> Effect | None:
        """What the newest snapshot of a stage leads to; the caller holds world and scope. None: nothing narrowed."""
        if header.scope.kind is not ScopeKind.WORLD:
            return None
        world = get_world(conn, header.scope.name)
        policy = policy_of(conn, world)
        known = dict(breaches.open_breaches(conn, header.scope))
        terms = RiskTerms() if policy is None or policy.risk is None else policy.risk
        rules = {_rule_name(header.stage, rule.name): rule for rule in terms.exits}
        effect = None
        for finding in findings(terms, arrived.report):
            rule = _rule_name(header.stage, finding.rule)
            before = known.pop((rule, finding.target), None) or watched(header.scope.text, rule, finding.target)
            after, done = _after(before, finding, header), None
            if finding.act is not None and acts(after, finding.want):
                told = after if after.state is BreachState.BREACHED else _with_numbers(after, finding, header)
                led, done = self._lead_out(conn, world, told, rules[rule], arrived, header)
                after = led if done is not None or after.state is BreachState.BREACHED else after
                effect = done or effect
            self._save(conn, act, before, after, again=done is not None)
        for left in known.values():
            if _belongs(header.stage, left.rule) and left.state is not BreachState.ACTED:
                gone = replace(
                    left, state=BreachState.CLEARED, detail="neither rule nor target is there any more",
                    snapshot_version=header.version, updated_at=header.created_at,
                )  # fmt: skip
                self._save(conn, act, left, gone)
        return effect

    def _save(self, conn: Connection, act: Act, before: Breach, after: Breach, *, again: bool = False) -> None:
        """A target that was always within leaves no row; news is told, and an act `again`."""
        if after.state is BreachState.WATCHED and not before.sequence:
            return
        if replace(after, updated_at=before.updated_at) == before:
            return
        saved = breaches.save_breach(conn, after)
        if (after.state is before.state and not again) or after.state not in TOLD:
            return
        outbox.append(conn, risk_breached(saved, act))
        own = own_act("RiskBreach", act.world_id, act.now)
        audit_write(conn, own, f"{saved.rule} {saved.target or 'world'} is {saved.state.value}: {saved.detail}")
        if after.state not in CLOSED:
            self.metrics.risk_breaches.labels(saved.rule.split("[")[0], saved.act or "none").inc()
            log.warning("risk_breach", world=act.world_id, rule=saved.rule, target=saved.target, detail=saved.detail)

    def _lead_out(
        self, conn: Connection, world: World, breach: Breach, rule: ExitRule, arrived: Arrival, header: SnapshotHeader
    ) -> tuple[Breach, Effect | None]:
        """Narrow what the rule names; while an apply has the activation for itself, the next snapshot tries again."""
        own = own_act("RiskExit", world.world_id, header.created_at)
        hold = find_hold(conn, world.world_id)
        before = activations.load_activation(conn, world.world_id, world.created_at)
        if before.phase is Phase.FREEZE or (hold is not None and hold.state is not HoldState.RELEASED):
            return replace(breach, detail=f"{breach.detail}; an apply holds the activation, tried again"), None
        targets = self._targets(before, breach, rule, arrived, header)
        mode = MODE_OF[header.stage]
        after, led = led_out(before, targets, mode, own.now, freeze=rule.act is ExitAct.FREEZE)
        if not led:
            return replace(breach, detail=f"{breach.detail}; nothing there trades"), None
        verdicts = decide_world(conn, world, self.settings, own.now)
        done = record_activation(conn, world, self.settings, own, verdicts, before, after)
        names = ", ".join(sorted({entry.strategy_id for entry in led}))
        detail = f"{rule.act.value} {names}: {breach.detail}"
        for entry in led:
            signal = exit_signal(world.world_id, entry.strategy_id, entry.side, breach.rule, detail, own)
            outbox.append(conn, signal)
        audit_write(conn, own, f"{breach.rule} of snapshot {header.version}: {detail}, epoch {after.fence.epoch}")
        return acted(breach, detail, own.now), done.effect

    def _targets(
        self, before: Activation, breach: Breach, rule: ExitRule, arrived: Arrival, header: SnapshotHeader
    ) -> frozenset[str] | None:
        """The strategies to lead out; None: all of the world."""
        match rule.of:
            case ExitTarget.WORLD:
                return None
            case ExitTarget.STRATEGY:
                return frozenset({breach.target})
            case ExitTarget.LARGEST_COMPONENT:
                return _largest(arrived.snapshot, arrived.report, rule, takes_risk(before, MODE_OF[header.stage]))


def _largest(snapshot: Snapshot, report: RiskReport, rule: ExitRule, trading: frozenset[str]) -> frozenset[str]:
    """By component VaR, one after the other, until the rule no longer holds for the rest: what leaves becomes cash."""
    gone = frozenset(one.strategy_id for one in report.strategies) - trading
    out: set[str] = set()
    rest = _without(snapshot, gone)
    while holds(rule.when, rest.figures):
        largest = largest_component(rest, frozenset())
        if largest is None:
            break
        out.add(largest)
        rest = _without(snapshot, gone | out)
    return frozenset(out)


def _without(snapshot: Snapshot, gone: frozenset[str] | set[str]) -> RiskReport:
    """The report of the book once some strategies are flat."""
    shares = snapshot.shares()
    left: Mapping[str, float] = {name: share for name, share in shares.items() if name not in gone and name != CASH}
    cash = 1.0 - sum(left.values())
    exposures = tuple(one for one in snapshot.exposures if one.strategy_id not in gone)
    return risk_report(replace(snapshot, weights={**left, CASH: max(0.0, cash)}, exposures=exposures), "rest")


def _after(before: Breach, finding: Finding, header: SnapshotHeader) -> Breach:
    """The breach after this snapshot, with its numbers while it is moved by them."""
    after = moved(before, finding.standing, finding.want, header.created_at)
    if after is before or after.state is BreachState.ACTED:  # whose numbers are those of its act
        return after
    return _with_numbers(after, finding, header)


def _with_numbers(breach: Breach, finding: Finding, header: SnapshotHeader) -> Breach:
    act = "" if finding.act is None else finding.act.value
    return replace(
        breach, figures=dict(finding.figures), act=act, detail=finding.detail, snapshot_version=header.version
    )


def _rule_name(stage: RiskStage, name: str) -> str:
    """Rules of paper are told from those of live by their name."""
    return name if stage is RiskStage.LIVE else f"paper:{name}"


def _belongs(stage: RiskStage, rule: str) -> bool:
    return rule.startswith("paper:") is (stage is RiskStage.PAPER)
