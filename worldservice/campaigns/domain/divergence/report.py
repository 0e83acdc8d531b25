"""The divergence report: what both sides came to, how well they pair, what the gap is made of, and the verdict."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal

import numpy as np

from qmtl.stats.drift import mean_t, population_shift
from qmtl.stats.moments import sample_deviation
from worldservice.campaigns.domain.divergence.attribution import Attribution, Marks, attribute
from worldservice.campaigns.domain.divergence.pairing import ZERO, Pairing, PairKind, TradedOrder, pair_orders
from worldservice.campaigns.domain.divergence.verdict import Ground, Measured, Verdict, judge
from worldservice.policy.domain.campaign.terms import CampaignTerms

T_DAYS_MIN = 20
BPS = Decimal(10_000)


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a report: orders, also those decided before the window, with their fills in it, in the order sent;
    simple returns by UTC day, funding.
    """

    orders: tuple[TradedOrder, ...]
    returns: Mapping[date, float]
    funding: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class FeatureDrift:
    """Values of one node: counts by the backtest's deciles, of the backtest and of the live run."""

    node: str
    backtest: tuple[float, ...]
    live: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that a report is computed from."""

    start: datetime
    end: datetime
    bar: timedelta
    live: Side
    replay: Side
    marks: Mapping[str, Marks]
    ground: Ground
    days_per_year: float = 365.0
    features: tuple[FeatureDrift, ...] = ()


@dataclass(frozen=True, slots=True)
class DivergenceReport:
    """Figures and verdict. Shares are fractions; slippage in basis points of the arrival mark, positive is a cost."""

    start: datetime
    end: datetime
    verdict: Verdict
    reasons: tuple[str, ...]
    measured: Measured
    attribution: Attribution | None
    ground: Ground
    shifted: int
    only_live: int
    only_replay: int
    model_slippage_bps: float
    mean_difference: float
    days: int
    denials: Mapping[str, tuple[int, int]] = field(default_factory=dict)  # by rule: of live, of replay
    drift: Mapping[str, float] = field(default_factory=dict)  # PSI by node
    slippages_bps: tuple[float, ...] = ()  # of each pair with a fill and an arrival mark, live
    model_slippages_bps: tuple[float, ...] = ()
    curve: tuple[tuple[str, float, float], ...] = ()  # UTC day, growth of live and of replay from 1


def report_of(evidence: Evidence, terms: CampaignTerms) -> DivergenceReport:
    """The report on a window; pure: the same evidence, the same report."""
    pairing = pair_orders(evidence.live.orders, evidence.replay.orders, evidence.bar).since(evidence.start)
    attribution = attribute(pairing, evidence.marks, evidence.live.funding, evidence.replay.funding)
    shared = sorted(evidence.live.returns.keys() & evidence.replay.returns.keys())
    gaps = np.array([evidence.live.returns[day] - evidence.replay.returns[day] for day in shared])
    drift = {one.node: population_shift(one.live, one.backtest) for one in evidence.features}
    mine = _slippages(pair.live for pair in pairing.pairs)
    model = _slippages(pair.replay for pair in pairing.pairs)
    measured = Measured(
        pairs=len(pairing.pairs),
        match_rate=pairing.match_rate,
        fill_ratio=_fill_ratio(pairing),
        slippage_bps=_by_notional(mine),
        tracking_error=sample_deviation(gaps) * math.sqrt(evidence.days_per_year),
        t=_t_of(gaps),
        psi=max(drift.values(), default=math.nan),
    )
    verdict, reasons = judge(measured, terms.divergence, evidence.ground, terms.paper.min_coverage)
    return DivergenceReport(
        start=evidence.start,
        end=evidence.end,
        verdict=verdict,
        reasons=reasons,
        measured=measured,
        attribution=attribution,
        ground=evidence.ground,
        shifted=sum(pair.kind is PairKind.SHIFTED for pair in pairing.pairs),
        only_live=len(pairing.only_live),
        only_replay=len(pairing.only_replay),
        model_slippage_bps=_by_notional(model),
        mean_difference=float(gaps.mean()) if len(gaps) else math.nan,
        days=len(gaps),
        denials=_denials(evidence),
        drift=drift,
        slippages_bps=tuple(float(bps) for bps, _ in mine),
        model_slippages_bps=tuple(float(bps) for bps, _ in model),
        curve=_curve(evidence, shared),
    )


def _t_of(gaps: np.ndarray) -> float:
    """NaN below 20 days. Days that differ by nothing, or all by the same, have no spread: 0 where it is nothing."""
    if len(gaps) < T_DAYS_MIN:
        return math.nan
    _, t = mean_t(gaps)
    if not math.isnan(t):
        return t
    level = float(gaps.mean())
    return 0.0 if not level else math.copysign(math.inf, level)


def _fill_ratio(pairing: Pairing) -> float:
    wanted = sum((pair.replay.quantity for pair in pairing.pairs), ZERO)
    got = sum((pair.live.quantity for pair in pairing.pairs), ZERO)
    return float(got / wanted) if wanted else math.nan


def _slippages(orders: Iterable[TradedOrder]) -> list[tuple[Decimal, Decimal]]:
    """Of each order with a fill and an arrival mark: e (p - a) / a in basis points, and its notional."""
    found = []
    for order in orders:
        if order.quantity and order.arrival:
            arrived = order.quantity * order.arrival
            slipped = (order.notional - arrived) / arrived * BPS
            found.append((slipped if order.buys else -slipped, order.notional))
    return found


def _by_notional(slippages: Sequence[tuple[Decimal, Decimal]]) -> float:
    weighted = total = ZERO
    for bps, notional in slippages:
        weighted += bps * abs(notional)
        total += abs(notional)
    return float(weighted / total) if total else math.nan


def _denials(evidence: Evidence) -> Mapping[str, tuple[int, int]]:
    live, replay = (
        Counter(order.denial for order in side.orders if order.denial and order.decided_at >= evidence.start)
        for side in (evidence.live, evidence.replay)
    )
    return {rule: (live[rule], replay[rule]) for rule in sorted({*live, *replay})}


def _curve(evidence: Evidence, shared: Sequence[date]) -> tuple[tuple[str, float, float], ...]:
    live = replay = 1.0
    rows = []
    for day in shared:
        live *= 1.0 + evidence.live.returns[day]
        replay *= 1.0 + evidence.replay.returns[day]
        rows.append((day.isoformat(), live, replay))
    return tuple(rows)
