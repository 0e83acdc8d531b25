"""Divergence reports as messages of the contract."""

from __future__ import annotations

from dataclasses import dataclass

from qmtl.core.decimals import format_decimal
from qmtl.core.identity.canonical import digest
from qmtl.wire.instants import instant_to_proto
from qmtl.world.v1 import divergence_pb2 as divergencepb
from worldservice.campaigns.domain.divergence.attribution import Attribution
from worldservice.campaigns.domain.divergence.report import DivergenceReport


@dataclass(frozen=True, slots=True)
class Source:
    """What a report is about and was made from."""

    world_id: str
    strategy_id: str
    order_list: str
    account: str
    session_id: str
    recordings: tuple[str, ...] = ()
    execution_model: str = ""
    policy_version: int = 0


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
    )
    made.report_id = digest(made.SerializeToString(deterministic=True))
    return made


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
    )
