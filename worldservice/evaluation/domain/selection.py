"""Selection: incumbents held by hysteresis first, then one greedy pass by (score descending, strategy id).

Who does not fit is told why and gives the slot to the next. Counters move once per new evaluation (a distinct end
of data), so asking again moves nothing; while the world's data is not current nothing is learned at all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from worldservice.evaluation.domain.reasons import DecisionReason
from worldservice.evaluation.domain.reports import Outcome, PipelineStage, RuleVerdict
from worldservice.evaluation.domain.runs import Candidate, Footprint
from worldservice.policy.domain.policy import Policy, TopK
from worldservice.policy.domain.selection_limits import (
    Constraints,
    CorrelationLimit,
    ExposureLimits,
    Hysteresis,
    UnknownPair,
)
from worldservice.worlds.domain.binding import Side

SLACK = 1e-9  # sums of fractions that meet a limit exactly are within it


@dataclass(frozen=True, slots=True)
class StrategyVerdict:
    """What the pipeline says of one strategy, before it is put into a report."""

    strategy_id: str
    verdicts: tuple[RuleVerdict, ...]
    score: float | None
    selected: bool
    rank: int


@dataclass(frozen=True, slots=True)
class Tenure:
    """What hysteresis remembers of one strategy."""

    strategy_id: str
    selected: bool = False
    since: datetime | None = None  # when it was last selected or let go
    passes: int = 0  # in a row
    failures: int = 0  # in a row
    counted_end: datetime | None = None  # end of the data of the evaluation that was counted last


Tenures = Mapping[str, Tenure]


def moved(tenure: Tenure, passed: bool, data_end: datetime | None) -> Tenure:
    """The counters with an evaluation counted; one that was counted already moves nothing."""
    if data_end is None or (tenure.counted_end is not None and data_end <= tenure.counted_end):
        return tenure
    return replace(
        tenure,
        passes=tenure.passes + 1 if passed else 0,
        failures=0 if passed else tenure.failures + 1,
        counted_end=data_end,
    )


def settled(tenure: Tenure, selected: bool, now: datetime) -> Tenure:
    """The tenure after a selection; its time starts anew when it turns."""
    return tenure if selected is tenure.selected else replace(tenure, selected=selected, since=now)


def held_reason(tenure: Tenure, rules: Hysteresis, now: datetime) -> str:
    """Why an incumbent keeps its slot; empty when it does not."""
    if not tenure.selected:
        return ""
    if tenure.since is not None and now - tenure.since < rules.min_dwell:
        return f"inside min_dwell, since {tenure.since.isoformat()}"
    if tenure.failures < rules.demote_after:
        return f"{tenure.failures} failures in a row of {rules.demote_after}"
    return ""


def select(
    policy: Policy, candidates: Sequence[Candidate], judged: Sequence[StrategyVerdict], tenures: Tenures, now: datetime
) -> tuple[StrategyVerdict, ...]:
    """The verdicts with their selection line; `tenures` have this evaluation counted already."""
    people = {candidate.strategy_id: candidate for candidate in candidates}
    held = _held(policy.hysteresis, [v for v in judged if not people[v.strategy_id].edges.shut_out], tenures, now)
    first = sorted((v for v in judged if v.strategy_id in held), key=_order)
    rest = sorted((v for v in judged if v.strategy_id not in held and not failed(v.verdicts)), key=_order)
    room = _Capacity(policy.topk, policy.constraints)
    chosen: dict[str, StrategyVerdict] = {}
    for rank, verdict in enumerate((*first, *rest), start=1):
        waiting = _waiting(policy.hysteresis, verdict, tenures) if verdict.strategy_id not in held else None
        refusal = waiting or room.take(people[verdict.strategy_id])
        why = held.get(verdict.strategy_id, "")
        chosen[verdict.strategy_id] = _line(policy, verdict, rank, refusal, why)
    return tuple(chosen.get(v.strategy_id) or _skipped(policy, v) for v in judged)


def failed(verdicts: Sequence[RuleVerdict]) -> bool:
    """Whether any rule failed."""
    return any(verdict.outcome is Outcome.FAIL for verdict in verdicts)


Refusal = tuple[DecisionReason, str]  # reason and explanation


def _held(
    rules: Hysteresis | None, judged: Sequence[StrategyVerdict], tenures: Tenures, now: datetime
) -> Mapping[str, str]:
    if rules is None:
        return {}
    found = {v.strategy_id: held_reason(tenures.get(v.strategy_id, Tenure(v.strategy_id)), rules, now) for v in judged}
    return {name: why for name, why in found.items() if why}


def _waiting(rules: Hysteresis | None, verdict: StrategyVerdict, tenures: Tenures) -> Refusal | None:
    if rules is None:
        return None
    passes = tenures.get(verdict.strategy_id, Tenure(verdict.strategy_id)).passes
    if passes >= rules.promote_after:
        return None
    return DecisionReason.PROMOTION_PENDING, f"{passes} passes in a row of {rules.promote_after}"


def _order(verdict: StrategyVerdict) -> tuple[bool, float, str]:
    return verdict.score is None, -(verdict.score or 0.0), verdict.strategy_id


def _line(policy: Policy, verdict: StrategyVerdict, rank: int, refusal: Refusal | None, held: str) -> StrategyVerdict:
    rule = _rule_text(policy.topk)
    if refusal is not None:
        line = RuleVerdict(PipelineStage.SELECTION, rule, Outcome.FAIL, refusal[0], (), refusal[1])
    elif held and failed(verdict.verdicts):
        line = RuleVerdict(PipelineStage.SELECTION, rule, Outcome.WARN, DecisionReason.HELD_BY_HYSTERESIS, (), held)
    else:
        line = RuleVerdict(PipelineStage.SELECTION, rule, Outcome.PASS, None, (), f"rank {rank}")
    return StrategyVerdict(verdict.strategy_id, (*verdict.verdicts, line), verdict.score, refusal is None, rank)


def _skipped(policy: Policy, verdict: StrategyVerdict) -> StrategyVerdict:
    why, rule = "an earlier stage failed", _rule_text(policy.topk)
    line = RuleVerdict(PipelineStage.SELECTION, rule, Outcome.SKIPPED, DecisionReason.NOT_ELIGIBLE, (), why)
    return StrategyVerdict(verdict.strategy_id, (*verdict.verdicts, line), verdict.score, False, 0)


class _Capacity:
    """What is free in one selection pass: slots, budgets, and distance from those chosen before."""

    def __init__(self, topk: TopK, constraints: Constraints) -> None:
        self._total = topk.total
        self._sides: dict[Side, int | None] = {Side.LONG: topk.long, Side.SHORT: topk.short}
        self._correlation, self._exposure = constraints.correlation, constraints.exposure
        self._chosen: list[Candidate] = []
        self._long = self._short = 0.0
        self._sectors: dict[str, float] = {}

    def take(self, candidate: Candidate) -> Refusal | None:
        """Take what a strategy needs; or, taking nothing, say what stands in its way."""
        refusal = self._slots(candidate.sides) or self._correlated(candidate) or self._exposed(candidate)
        if refusal is None:
            self._occupy(candidate)
        return refusal

    def _slots(self, sides: frozenset[Side]) -> Refusal | None:
        if self._total == 0:
            return DecisionReason.NOT_IN_TOP_K, "all slots are taken by better ranks"
        full = [side.value.lower() for side in Side if side in sides and self._sides[side] == 0]
        return (
            (DecisionReason.NOT_IN_TOP_K, f"the {' and '.join(full)} slots are taken by better ranks") if full else None
        )

    def _correlated(self, candidate: Candidate) -> Refusal | None:
        rule = self._correlation
        if rule is None:
            return None
        for other in self._chosen:
            refusal = _too_close(rule, candidate, other)
            if refusal is not None:
                return refusal
        return None

    def _exposed(self, candidate: Candidate) -> Refusal | None:
        rule = self._exposure
        if rule is None:
            return None
        needs = footprint_of(candidate)
        if needs is None or (rule.sector_cap is not None and not needs.sector):
            what = "footprint" if needs is None else "sector"
            return DecisionReason.EXPOSURE_UNKNOWN, f"its evaluation does not say its {what}"
        return self._over(rule, needs)

    def _over(self, rule: ExposureLimits, needs: Footprint) -> Refusal | None:
        long, short = self._long + needs.long_gross, self._short + needs.short_gross
        sector = self._sectors.get(needs.sector, 0.0) + needs.long_gross + needs.short_gross
        for reason, value, limit, what in (
            (DecisionReason.LONG_BUDGET, long, rule.long, "long gross"),
            (DecisionReason.SHORT_BUDGET, short, rule.short, "short gross"),
            (DecisionReason.MAX_LEVERAGE, long + short, rule.max_leverage, "leverage"),
            (DecisionReason.SECTOR_CAP, sector, rule.sector_cap, f"sector {needs.sector}"),
        ):
            if limit is not None and value > limit + SLACK:
                return reason, f"{what} would be {value:.4g}, at most {limit:g}"
        return None

    def _occupy(self, candidate: Candidate) -> None:
        if self._total is not None:
            self._total -= 1
        for side in candidate.sides:
            left = self._sides[side]
            if left is not None:
                self._sides[side] = left - 1
        self._chosen.append(candidate)
        needs = footprint_of(candidate)
        if needs is not None:
            self._long += needs.long_gross
            self._short += needs.short_gross
            gross = needs.long_gross + needs.short_gross
            self._sectors[needs.sector] = self._sectors.get(needs.sector, 0.0) + gross


def footprint_of(candidate: Candidate) -> Footprint | None:
    """What it holds on the sides it may take."""
    found = candidate.evidence.footprint if candidate.evidence is not None else None
    if found is None:
        return None
    long = found.long_gross if Side.LONG in candidate.sides else 0.0
    return Footprint(long, found.short_gross if Side.SHORT in candidate.sides else 0.0, found.sector)


def correlation_of(one: Candidate, other: Candidate) -> float | None:
    """As either has measured it; where both have, the higher counts."""
    known = [
        value
        for a, b in ((one, other), (other, one))
        if a.evidence is not None
        for name, value in a.evidence.correlations
        if name == b.strategy_id
    ]
    return max(known, default=None)


def _too_close(rule: CorrelationLimit, candidate: Candidate, other: Candidate) -> Refusal | None:
    value = correlation_of(candidate, other)
    if value is None and rule.unknown_pair is UnknownPair.REJECT:
        return DecisionReason.CORRELATION_UNKNOWN, f"nobody has measured its correlation with {other.strategy_id}"
    if value is not None and value > rule.max_pairwise:
        return (
            DecisionReason.CORRELATED,
            f"correlation {value:g} with {other.strategy_id}, at most {rule.max_pairwise:g}",
        )
    return None


def _rule_text(topk: TopK) -> str:
    limits: Mapping[str, int | None] = {"total": topk.total, "long": topk.long, "short": topk.short}
    text = ", ".join(f"{name} {limit}" for name, limit in limits.items() if limit is not None)
    return f"top {text}" if text else "everyone who passes"
