"""Decide: from a world's facts to what it may do now, with every reason. Total, and never higher than shown.

The mode is the world's ceiling. A strategy's own mode is the lower of it, its binding's stage, and
COMPUTE_ONLY unless the policy selects it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from qmtl.core.identity.canonical import canonical_json, digest
from qmtl.core.modes import EffectiveMode, lower
from worldservice.evaluation.domain.data_currency import DataState, data_currency
from worldservice.evaluation.domain.pipeline import report_of, run_pipeline
from worldservice.evaluation.domain.reasons import DecisionReason
from worldservice.evaluation.domain.reports import EvaluationReport, Summary
from worldservice.evaluation.domain.runs import Candidate, Evidence
from worldservice.evaluation.domain.selection import Tenures
from worldservice.evaluation.domain.validation import unmet_for_live
from worldservice.policy.domain.edge_policy import EdgePolicy, below
from worldservice.policy.domain.evidence import EvidenceRule, WorldAccount
from worldservice.policy.domain.execution_model import ExecutionModel
from worldservice.policy.domain.governance import LivePromotion, OnPromote
from worldservice.policy.domain.policy import Policy
from worldservice.policy.domain.trading_terms import NO_TERMS, Terms
from worldservice.worlds.domain.binding import Side, Stage
from worldservice.worlds.domain.world import World, WorldState

TTL_DEFAULT = timedelta(seconds=300)


@dataclass(frozen=True, slots=True)
class WorldFacts:
    """All a decision depends on but the clock. `policy` None: none is set, or what is stored cannot be read."""

    world: World
    policy: Policy | None
    candidates: tuple[Candidate, ...]
    data: DataState
    replay: bool
    live_approved: frozenset[str] = frozenset()
    tenures: Tenures = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decision:
    """A DecisionEnvelope: the ceiling of a world, why it is not higher, and what it was decided from."""

    world_id: str
    policy_version: int
    effective_mode: EffectiveMode
    reasons: tuple[DecisionReason, ...]
    as_of: datetime | None
    ttl: timedelta
    dataset_fingerprint: str
    coverage: float
    data_end: datetime | None
    decided_at: datetime
    ruleset_hash: str
    selected: tuple[str, ...]
    execution: ExecutionModel | None = None  # what backtests have to assume; the policy's, so part of ruleset_hash
    evidence: EvidenceRule | None = None  # the policy's too; None: no policy
    account: WorldAccount | None = None  # the same
    on_promote: OnPromote | None = None  # the same

    @property
    def etag(self) -> str:
        """Hash of the content; when it was decided and how long it holds are not content."""
        return digest(canonical_json([*self.substance(), _text(self.as_of), _text(self.data_end), repr(self.coverage)]))

    def substance(self) -> list[str | int | list[str]]:
        """What a follower acts on; data that merely moved on does not change it."""
        return [
            self.world_id,
            self.policy_version,
            self.effective_mode.value,
            [reason.value for reason in self.reasons],
            self.dataset_fingerprint,
            self.ruleset_hash,
            list(self.selected),
        ]


@dataclass(frozen=True, slots=True)
class Verdicts:
    """A decision with the reports it rests on, by strategy."""

    decision: Decision
    reports: Mapping[str, EvaluationReport]
    tenures: Tenures = field(default_factory=dict)  # what hysteresis remembers once this is recorded
    live: frozenset[str] = frozenset()  # strategies that meet every condition of LIVE themselves
    can_short: bool = True
    terms: Terms | None = None  # what holds for all that is active; None: unknown, those there stay
    opened: Mapping[str, EffectiveMode] = field(default_factory=dict)  # how far edges are open, where a policy asks
    openable: EffectiveMode = EffectiveMode.LIVE  # how far an apply opens them
    exits: EffectiveMode = EffectiveMode.COMPUTE_ONLY  # the highest mode in which who is demoted may still reduce
    barred: Mapping[str, EffectiveMode] = field(default_factory=dict)  # how far edges that are off let a strategy in

    def ceiling_of(self, strategy_id: str, side: Side | None = None) -> EffectiveMode:
        """The highest mode of a strategy, on one side or any: the world's if it is selected, LIVE if it may itself."""
        mode = lower(self.decision.effective_mode, self.opened.get(strategy_id, EffectiveMode.LIVE))
        if strategy_id not in self.decision.selected or (side is Side.SHORT and not self.can_short):
            return lower(mode, EffectiveMode.COMPUTE_ONLY)
        return mode if strategy_id in self.live else lower(mode, EffectiveMode.PAPER)

    def exit_of(self, strategy_id: str, side: Side | None = None) -> EffectiveMode:
        """The highest mode in which a strategy that may not go on may still reduce; not over an edge that is off."""
        return lower(self.exits, self.barred.get(strategy_id, EffectiveMode.LIVE))

    def promoted(self) -> "Verdicts":
        """As it would be for targets of an apply, which opens edges to them."""
        return replace(self, opened=dict.fromkeys(self.opened, self.openable))


def decide(
    facts: WorldFacts, now: datetime, *, as_of: datetime | None = None, ttl: timedelta = TTL_DEFAULT
) -> Verdicts:
    """The decision on a world and the report on each of its strategies."""
    reports, tenures = _reports(facts, now)
    ranked = sorted((r for r in reports.values() if r.selected), key=lambda r: r.rank)
    selected = tuple(report.strategy_id for report in ranked)
    passed = [name for name in selected if reports[name].summary is not Summary.FAIL]  # not only held by hysteresis
    mode, reasons = _mode(facts, selected, passed)
    live = _may_go_live(facts, passed) if mode is EffectiveMode.LIVE else frozenset()
    policy = facts.policy
    anchor = _anchor(facts, [name for name in selected if name in live] or selected)
    decision = Decision(
        world_id=facts.world.world_id,
        policy_version=facts.world.default_policy_version if facts.policy else 0,
        effective_mode=mode,
        reasons=reasons,
        as_of=as_of or facts.data.data_end,
        ttl=ttl,
        dataset_fingerprint=anchor.dataset_fingerprint if anchor else "",
        coverage=anchor.coverage if anchor else 0.0,
        data_end=facts.data.data_end,
        decided_at=now,
        ruleset_hash=policy.ruleset_hash if policy else "",
        selected=selected,
        execution=policy.gating.execution if policy else None,
        evidence=policy.evidence if policy else None,
        account=policy.account if policy else None,
        on_promote=policy.positions.on_promote if policy else None,
    )
    if policy is None:
        return Verdicts(decision, reports, tenures, live, terms=None if _unreadable(facts) else NO_TERMS)
    barred = {c.strategy_id: below(c.edges.barred) for c in facts.candidates if c.edges.barred}
    verdicts = Verdicts(
        decision, reports, tenures, live, policy.gating.can_short, policy.terms, exits=_exits(facts), barred=barred
    )
    return _with_edges(verdicts, policy.gating.edges, facts.candidates)


def _exits(facts: WorldFacts) -> EffectiveMode:
    """What stops the whole world stops who is leaving too; who is leaving needs no approval to reduce."""
    policy, world = facts.policy, facts.world
    if policy is None or not policy.positions.on_demote.drains or world.state is WorldState.DELETED or _tripped(facts):
        return EffectiveMode.COMPUTE_ONLY
    return EffectiveMode.LIVE if world.allow_live and not facts.replay else EffectiveMode.PAPER


def _with_edges(verdicts: Verdicts, policy: EdgePolicy | None, candidates: Sequence[Candidate]) -> Verdicts:
    if policy is None:
        return verdicts
    opened = {candidate.strategy_id: policy.ceiling(candidate.edges.opened) for candidate in candidates}
    return replace(verdicts, opened=opened, openable=policy.ceiling(policy.opens))


def changed(before: Decision | None, after: Decision) -> bool:
    """Whether a decision is news to a follower."""
    return before is None or before.substance() != after.substance()


def _reports(facts: WorldFacts, now: datetime) -> tuple[Mapping[str, EvaluationReport], Tenures]:
    policy = facts.policy
    if policy is None:
        return {}, facts.tenures
    version = facts.world.default_policy_version
    outcomes = run_pipeline(policy, facts.candidates, facts.data, facts.tenures)
    world_id = facts.world.world_id
    return {v.strategy_id: report_of(v, world_id, version, policy, now) for v in outcomes.verdicts}, outcomes.tenures


def _mode(
    facts: WorldFacts, selected: Sequence[str], passed: Sequence[str]
) -> tuple[EffectiveMode, tuple[DecisionReason, ...]]:
    """The first rule that holds gives the ceiling; below it nothing is asked."""
    world = facts.world
    if world.state is WorldState.DELETED:
        return EffectiveMode.VALIDATE, (DecisionReason.WORLD_DELETED,)
    if facts.policy is None:
        return EffectiveMode.VALIDATE, (
            DecisionReason.POLICY_UNREADABLE if _unreadable(facts) else DecisionReason.NO_POLICY,
        )
    if not facts.candidates:
        return EffectiveMode.VALIDATE, (DecisionReason.NO_BINDINGS,)
    lowered = _tripped(facts)
    if lowered:
        return EffectiveMode.COMPUTE_ONLY, lowered
    if not selected:
        return EffectiveMode.COMPUTE_ONLY, (DecisionReason.NOTHING_SELECTED,)
    missing = _missing_for_live(facts, selected, passed)
    if missing:
        return EffectiveMode.PAPER, missing
    return EffectiveMode.LIVE, ()


def _unreadable(facts: WorldFacts) -> bool:
    """Whether the world has a policy and nobody knows what it says."""
    return facts.policy is None and facts.world.default_policy_version > 0


def _tripped(facts: WorldFacts) -> tuple[DecisionReason, ...]:
    reasons = []
    if facts.world.state is not WorldState.ACTIVE:
        reasons.append(DecisionReason.WORLD_SUSPENDED)
    if facts.world.circuit_breaker:
        reasons.append(DecisionReason.CIRCUIT_BREAKER)
    if facts.policy is not None:
        currency = data_currency(facts.policy, facts.data)
        if currency.reason is not None:
            reasons.append(currency.reason)
    return tuple(reasons)


def _missing_for_live(facts: WorldFacts, selected: Sequence[str], passed: Sequence[str]) -> tuple[DecisionReason, ...]:
    """Every condition of LIVE that does not hold, all together."""
    reasons = []
    if not facts.world.allow_live:
        reasons.append(DecisionReason.LIVE_NOT_ALLOWED)
    if not facts.world.data_presets:
        reasons.append(DecisionReason.DATA_PRESETS_MISSING)
    if facts.replay:
        reasons.append(DecisionReason.REPLAY_NEVER_LIVE)
    if facts.policy is None or facts.policy.live_promotion is LivePromotion.DISABLED:
        reasons.append(DecisionReason.LIVE_PROMOTION_DISABLED)
    approved = facts.live_approved.intersection(passed)
    if not approved:
        reasons.append(DecisionReason.LIVE_NOT_APPROVED)
    if facts.policy is not None and facts.policy.evidence is EvidenceRule.CLAIMS:
        reasons.append(DecisionReason.EVIDENCE_CLAIMED)
    anchor = _anchor(facts, selected)
    if anchor is None or not anchor.dataset_fingerprint:
        reasons.append(DecisionReason.DATASET_FINGERPRINT_MISSING)
    if approved and not _may_go_live(facts, passed):
        reasons += _obstacles_of_all(facts, approved)
    return tuple(dict.fromkeys(reasons))


def _may_go_live(facts: WorldFacts, passed: Sequence[str]) -> frozenset[str]:
    """Of those that pass, those with an approval, a known data set of their own, and nothing that bars them."""
    approved = facts.live_approved.intersection(passed)
    return frozenset(c.strategy_id for c in facts.candidates if c.strategy_id in approved and not _obstacles(facts, c))


def _obstacles_of_all(facts: WorldFacts, names: frozenset[str]) -> list[DecisionReason]:
    candidates = [c for c in facts.candidates if c.strategy_id in names]
    return sorted({reason for candidate in candidates for reason in _obstacles(facts, candidate)})


def _obstacles(facts: WorldFacts, candidate: Candidate) -> tuple[DecisionReason, ...]:
    """What of its own bars a strategy from live."""
    if facts.policy is None or candidate.evidence is None or not candidate.evidence.dataset_fingerprint:
        return (DecisionReason.DATASET_FINGERPRINT_MISSING,)
    pinned = facts.policy.gating.dataset_fingerprint
    mismatch = (
        (DecisionReason.DATASET_FINGERPRINT_MISMATCH,)
        if pinned not in ("", candidate.evidence.dataset_fingerprint)
        else ()
    )
    cut = (DecisionReason.EDGE_OFF,) if candidate.edges.barred else ()
    grounds = _groundless(facts.world.data_presets, candidate.evidence)
    unmet = unmet_for_live(facts.policy, candidate)
    return tuple(dict.fromkeys((*grounds, *_elsewhere(facts, candidate), *mismatch, *cut, *unmet)))


def _elsewhere(facts: WorldFacts, candidate: Candidate) -> tuple[DecisionReason, ...]:
    """Why a paper run that the policy judges is no ground: it traded on other presets than the world's."""
    policy, paper = facts.policy, candidate.paper
    judged = policy is not None and (Stage.PAPER in policy.profiles or bool(policy.gating.divergence))
    return _groundless(facts.world.data_presets, paper) if judged and paper is not None and paper.replayed else ()


def _groundless(named: Sequence[str], evidence: Evidence) -> tuple[DecisionReason, ...]:
    """Why a run's numbers are no ground to trade live: nobody replayed them, or over prices of other presets than the
    world's, which may be anybody's own.
    """
    if not evidence.replayed:
        return (DecisionReason.EVIDENCE_CLAIMED,)
    its_own = bool(evidence.data_presets) and set(evidence.data_presets).issubset(named)
    return () if its_own else (DecisionReason.EVIDENCE_OF_OTHER_DATA,)


def _anchor(facts: WorldFacts, best: Sequence[str]) -> Evidence | None:
    """The evidence whose data the envelope names: the best strategy's, else the one with the newest data.

    What trades live is what a live decision is about: the best of those, not one that is selected for paper.
    """
    by_id = {candidate.strategy_id: candidate.evidence for candidate in facts.candidates if candidate.evidence}
    if best:
        return by_id.get(best[0])
    dated = [(found.data_end, name) for name, found in by_id.items() if found.data_end is not None]
    return by_id[max(dated)[1]] if dated else None


def _text(instant: datetime | None) -> str:
    return instant.isoformat() if instant else ""


@dataclass(frozen=True, slots=True)
class DecisionSettings:
    """What of the settings a decision depends on."""

    replay_presets: tuple[str, ...]
    decision_ttl: timedelta
