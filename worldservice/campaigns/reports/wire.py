"""Divergence reports as messages of the contract."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, localcontext

from qmtl.core.decimals import format_decimal
from qmtl.core.errors import refused
from qmtl.core.identity.canonical import digest
from qmtl.core.modes import ExecutionDomain
from qmtl.stats.drift import POPULATION_BINS
from qmtl.wire.instants import instant_to_proto
from qmtl.world.v1 import divergence_pb2 as divergencepb
from worldservice.campaigns.domain.divergence.attribution import EXACT, Attribution
from worldservice.campaigns.domain.divergence.pairing import ZERO
from worldservice.campaigns.domain.divergence.report import DivergenceReport, FeatureDrift
from worldservice.worlds.wire import domain_to_proto

FEATURES_MAX, NODE_MAX = 100, 200


@dataclass(frozen=True, slots=True)
class Source:
    """What a report is about and was made from. `capital`: of live trading, what both sides begin with; `start`: where
    the window begins, None: where the session does; `weight`: of the replay.
    """

    world_id: str
    strategy_id: str
    order_list: str
    account: str
    session_id: str
    recordings: tuple[str, ...] = ()
    execution_model: str = ""
    policy_version: int = 0
    features: tuple[FeatureDrift, ...] = ()
    unequal: tuple[str, ...] = ()
    capital: str = ""
    start: datetime | None = None
    weight: Decimal = Decimal(1)
    domain: ExecutionDomain = ExecutionDomain.DRYRUN


def features_from_proto(told: Sequence[divergencepb.FeatureCounts]) -> tuple[FeatureDrift, ...]:
    """Counts of features. Raises InvalidRequest (E_FIELD)."""
    if len(told) > FEATURES_MAX:
        raise refused("E_FIELD", "features", len(told), f"at most {FEATURES_MAX}")
    found = list[FeatureDrift]()
    for place, one in enumerate(told):
        path, bins = f"features[{place}]", len(one.reference_counts)
        if not 0 < len(one.node) <= NODE_MAX or one.node in {known.node for known in found}:
            raise refused("E_FIELD", f"{path}.node", one.node[:80], f"1 to {NODE_MAX} characters, each node once")
        if not 2 <= bins <= POPULATION_BINS or len(one.live_counts) != bins:
            told_bins = f"{bins} and {len(one.live_counts)} bins"
            raise refused("E_FIELD", f"{path}.live_counts", told_bins, f"2 to {POPULATION_BINS} bins of both")
        if not any(one.reference_counts) or not any(one.live_counts):
            raise refused("E_FIELD", f"{path}.live_counts", "no value in any bin", "values of both")
        found.append(FeatureDrift(one.node, tuple(one.reference_counts), tuple(one.live_counts)))
    return tuple(found)


def head_of(report: divergencepb.DivergenceReport) -> divergencepb.DivergenceReport:
    """A copy without days, counts of features and the slippage of single pairs."""
    head = divergencepb.DivergenceReport()
    head.CopyFrom(report)
    for name in ("days", "features", "live_slippage_bps", "replay_slippage_bps"):
        head.ClearField(name)
    return head


def report_to_proto(report: DivergenceReport, source: Source) -> divergencepb.DivergenceReport:
    """With its id, a digest of all that it says; when and by whom it was made is not part of it."""
    made = divergencepb.DivergenceReport(
        world_id=source.world_id,
        strategy_id=source.strategy_id,
        start=instant_to_proto(report.start),
        end=instant_to_proto(report.end),
        verdict=f"DIVERGENCE_VERDICT_{report.verdict.name}",
        reasons=report.reasons,
        order_list=source.order_list,
        account=source.account,
        session_id=source.session_id,
        recordings=source.recordings,
        coverage_ratio=report.ground.coverage,
        strategy_version=report.ground.live_version,
        execution_model=source.execution_model,
        figures=_figures(report),
        terms=None if report.attribution is None else _terms(report.attribution),
        denials=[
            divergencepb.DivergenceDenials(rule=rule, live_count=live, replay_count=replay)
            for rule, (live, replay) in sorted(report.denials.items())
        ],
        days=[
            divergencepb.DivergenceDay(day=day, live_growth=live, replay_growth=replay)
            for day, live, replay in report.curve
        ],
        live_slippage_bps=report.slippages_bps,
        replay_slippage_bps=report.model_slippages_bps,
        policy_version=source.policy_version,
        execution_domain=domain_to_proto(source.domain),
        capital=source.capital,
        drift=[divergencepb.FeatureDrift(node=node, psi=psi) for node, psi in sorted(report.drift.items())],
        features=[
            divergencepb.FeatureCounts(
                node=one.node, reference_counts=map(int, one.backtest), live_counts=map(int, one.live)
            )
            for one in source.features
        ],
        replay_version=report.ground.replay_version,
        unequal=source.unequal,
        weight="" if source.weight == 1 else format_decimal(source.weight),
    )
    made.report_id = digest(made.SerializeToString(deterministic=True))
    return made


def unexplained(terms: divergencepb.DivergenceTerms) -> Decimal:
    """The gap of a report that none of its terms is, from the decimals that it tells: 0."""
    told = {field.name: Decimal(text) for field, text in terms.ListFields()}  # exact: of more digits than a client's
    with localcontext(EXACT):
        return told.pop("live_pnl", ZERO) - told.pop("replay_pnl", ZERO) - sum(told.values(), ZERO)


def _figures(report: DivergenceReport) -> divergencepb.DivergenceFigures:
    measured = report.measured
    return divergencepb.DivergenceFigures(
        pair_count=measured.pairs,
        shifted_count=report.shifted,
        only_live_count=report.only_live,
        only_replay_count=report.only_replay,
        match_rate=measured.match_rate,
        fill_ratio=measured.fill_ratio,
        live_slippage_bps=measured.slippage_bps,
        replay_slippage_bps=report.model_slippage_bps,
        tracking_error=measured.tracking_error,
        day_count=report.days,
        mean_difference=report.mean_difference,
        mean_t=measured.t,
    )


def _terms(found: Attribution) -> divergencepb.DivergenceTerms:
    terms = found.terms
    return divergencepb.DivergenceTerms(
        live_pnl=format_decimal(found.live_pnl),
        replay_pnl=format_decimal(found.replay_pnl),
        unmatched=format_decimal(terms.unmatched),
        fill=format_decimal(terms.fill),
        arrival=format_decimal(terms.arrival),
        execution=format_decimal(terms.execution),
        fees=format_decimal(terms.fees),
        funding=format_decimal(terms.funding),
        mark=format_decimal(terms.mark),
        opening=format_decimal(terms.opening),
    )
