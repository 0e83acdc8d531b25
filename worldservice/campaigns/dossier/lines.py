"""A dossier's sentences, from what was recorded until an instant. Pure: the same records, the same lines."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from qmtl.core.instants import timestamp_text
from qmtl.world.v1 import divergence_pb2 as divergencepb
from worldservice.campaigns.domain.overrides import Override
from worldservice.campaigns.domain.promotions import Promotion
from worldservice.campaigns.domain.selection import Selection, selection_of
from worldservice.campaigns.domain.windows import Window
from worldservice.campaigns.store import StoredTrials
from worldservice.evaluation.domain.reports import Number
from worldservice.evaluation.domain.runs import EvaluationRun
from worldservice.evaluation.domain.stage_records import Covered, covered_time
from worldservice.policy.domain.campaign.terms import CampaignTerms
from worldservice.policy.domain.evidence import terms_in_words
from worldservice.worlds.domain.audit import AuditRow
from worldservice.worlds.domain.binding import Stage

PEOPLE = frozenset(
    {"RequestPromotion", "WithdrawPromotion", "ApprovePromotion", "RejectPromotion", "ApplyPromotion", "ApproveLive",
     "RevokeLive", "PauseCampaign", "ResumeCampaign", "SettlePromotion"}
)  # fmt: skip
MOVES = frozenset({"AdvanceCanary", "SettleCampaign", "DemoteStrategy"})
STAGES = (Stage.BACKTEST, Stage.PAPER, Stage.LIVE)


@dataclass(frozen=True, slots=True)
class Line:
    """A sentence under a heading; `sequence` of the audit row that recorded it, 0: it is computed from others."""

    section: str
    text: str
    sequence: int = 0
    time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """What was recorded of a strategy in a world until `at`, each list oldest first.

    `runs`: each at its last revision by then. `versions`: every version evaluated by then. `trials`: those stored by
    then. `left_out`: how many older audit rows there are. `terms`: of `policy_version`, the policy that
    judged the newest run; None: none did, or it has no section campaign.
    """

    world_id: str
    strategy_id: str
    at: datetime
    runs: tuple[EvaluationRun, ...]
    versions: frozenset[str]
    audit: tuple[AuditRow, ...]
    left_out: int
    promotions: tuple[Promotion, ...]
    overrides: tuple[Override, ...]
    trials: tuple[StoredTrials, ...]
    reports: tuple[divergencepb.DivergenceReport, ...]
    policy_version: int
    terms: CampaignTerms | None

    def sequence(self, event: str, time: datetime) -> int:
        """The audit row of a write; 0: none is there. Events of several strategies begin with the one's name."""
        mine = (row for row in self.audit if row.time == time and row.event.startswith(event) and row.result == "OK")
        return next((row.sequence for row in mine), 0)

    def newest(self, stage: Stage) -> EvaluationRun | None:
        """The newest run of a stage whose numbers were computed here."""
        mine = [run for run in self.runs if run.evidence.stage is stage and run.evidence.replayed]
        return mine[-1] if mine else None

    @property
    def selection(self) -> Selection | None:
        """Of the newest computed backtest; None: there is none, or its returns have no spread."""
        run = self.newest(Stage.BACKTEST)
        if run is None or run.evidence.moments is None:
            return None
        return selection_of(run.evidence.moments, len(self.versions), self.trials[-1].summary if self.trials else None)


def dossier_lines(record: Record) -> tuple[Line, ...]:
    """All lines, heading by heading."""
    return (
        *_standing(record),
        *_identity(record),
        *_selection(record),
        *_rules(record),
        *_overrides(record),
        *_promotions(record),
        *_of_events(record, "Canary and demotion", MOVES, "it was never in a canary and was never demoted"),
        *_divergence(record),
        *_everything(record),
    )


def _standing(record: Record) -> Iterator[Line]:
    section = "Where it stands"
    yield Line(section, f"strategy {record.strategy_id} in world {record.world_id}, as of {_at(record.at)}")
    moves = [row for row in record.audit if row.event in MOVES | {"SettlePromotion"} and row.result == "OK"]
    if moves:
        yield _line(section, "last move", moves[-1])
    else:
        yield Line(section, "its campaign never moved: it is on backtest, or on paper without a promotion")
    said = f"policy v{record.policy_version} judged its newest run" if record.policy_version else "no policy judged it"
    yield Line(section, said)
    if record.policy_version and record.terms is None:
        yield Line(section, "that policy has no section campaign: nothing but its own rules bars a strategy from live")


def _identity(record: Record) -> Iterator[Line]:
    section = "What was judged"
    for stage in STAGES:
        run = record.newest(stage)
        if run is None:
            yield Line(section, f"{stage.value}: no run whose numbers were computed here")
            continue
        shown, sequence = run.evidence, record.sequence("Evaluate", run.created_at)
        ground = shown.order_list or f"books of account {shown.paper_account} in session {shown.session_id}"
        text = (
            f"{stage.value}: run {shown.run_id} revision {run.revision} of version {shown.strategy_version or '?'}, by "
            f"{run.created_by}; computed from {ground}"
        )
        yield Line(section, text, sequence, run.created_at)
        span = f"{_at(shown.data_start)} to {_at(shown.data_end)}, {shown.coverage:.2%} of its bars there"
        data = f"data {shown.dataset_fingerprint} of {', '.join(shown.data_presets) or 'no named preset'}: {span}"
        yield Line(section, f"{stage.value}: {data}", sequence, run.created_at)
        yield Line(
            section, f"{stage.value}: account and execution: {terms_in_words(shown.account)}", sequence, run.created_at
        )
        for warning in shown.warnings():
            yield Line(section, f"{stage.value}: note: {warning}", sequence, run.created_at)


def _selection(record: Record) -> Iterator[Line]:
    section = "Is the edge real"
    for put in record.trials:
        at, one = put.put_at, put.summary
        pbo = "not known" if one.pbo is None else f"{one.pbo:.4f}"
        text = f"{one.variants} variants over {one.days} days were told, {one.trials_hash}; overfitting {pbo}"
        yield Line(section, text, record.sequence("PutTrials", at), at)
    yield Line(section, f"{len(record.versions)} versions of it were evaluated here")
    found, run = record.selection, record.newest(Stage.BACKTEST)
    if found is None or run is None or run.evidence.moments is None:
        yield Line(section, "no deflated Sharpe ratio: no computed backtest with a spread of returns")
        return
    moments = run.evidence.moments
    yield Line(section, f"N = {found.trials}, from {found.trials_from}")
    spread = "not asked: N is 1" if found.trials == 1 else "the widest of the stored tables"
    if found.assumed:
        spread = "ASSUMED to be the estimate's own error: no variants are stored"
    want = "" if record.terms is None else f", want {record.terms.backtest.deflated_sharpe:g}"
    yield Line(
        section,
        f"deflated Sharpe ratio {found.deflated_sharpe:.6f}{want}: Sharpe ratio {moments.ratio:.6f} a day over "
        f"{moments.count} days, skewness {moments.skewness:.4f}, kurtosis {moments.kurtosis:.4f}; spread of trials: "
        f"{spread}",
    )
    if not math.isnan(found.pbo):
        want = "" if record.terms is None else f", want at most {record.terms.backtest.max_pbo:g}"
        yield Line(section, f"probability of overfitting {found.pbo:.6f}{want}")
    if math.isfinite(found.more_days):
        yield Line(section, f"its ratio alone needs {math.ceil(found.more_days)} more days to be above 0 at 95 %")


def _rules(record: Record) -> Iterator[Line]:
    section = "Rules"
    if record.terms is not None:
        wanted = {Stage.BACKTEST: record.terms.backtest.window, Stage.PAPER: record.terms.paper.window}
        for stage, want in wanted.items():
            newest = record.newest(stage)
            version = "" if newest is None else newest.evidence.strategy_version
            covered = [
                Covered(run.evidence.data_start, run.evidence.data_end, run.evidence.coverage)
                for run in record.runs
                if run.evidence.stage is stage and run.evidence.replayed and run.evidence.strategy_version == version
                and run.evidence.data_start is not None and run.evidence.data_end is not None
            ]  # fmt: skip
            window = Window(covered_time(covered), want)
            word = "PASS" if window.complete else "FAIL"
            yield Line(section, f"{stage.value}: window: {word}: {window.sentence('it')}")
            if newest is not None:
                least = record.terms.backtest.min_trades if stage is Stage.BACKTEST else record.terms.paper.min_trades
                trades = newest.evidence.values().get("n_trades", 0.0)
                word = "PASS" if trades >= least else "FAIL"
                yield Line(section, f"{stage.value}: trades: {word}: {trades:g} round trips, want {least}")
    for stage in STAGES:
        run = record.newest(stage)
        if run is None or run.report is None:
            continue
        sequence = record.sequence("Evaluate", run.created_at)
        for verdict in run.report.verdicts:
            inputs = "; ".join(
                f"{one.name} {one.value!r} ({one.source.value} {one.source_id or 'of the run'})"
                for one in verdict.inputs
            )
            said = ": ".join(filter(None, (verdict.explanation, inputs)))
            head = f"{stage.value}: {verdict.stage.value} {verdict.rule}: {verdict.outcome.value}"
            yield Line(section, f"{head}: {said}" if said else head, sequence, run.created_at)


def _overrides(record: Record) -> Iterator[Line]:
    section = "Waivers"
    for one in record.overrides:
        ended = "ended" if one.expires_at <= record.at else "holds"
        text = (
            f"{one.rule} of run {one.run_id} revision {one.revision} waived by {one.granted_by} until "
            f"{_at(one.expires_at)}, {ended}: {one.reason}"
        )
        yield Line(section, text, record.sequence("OverrideEvaluation", one.granted_at), one.granted_at)
    if not record.overrides:
        yield Line(section, "none")


def _promotions(record: Record) -> Iterator[Line]:
    section = "Who asked, approved and applied"
    for one in record.promotions:
        sequence = record.sequence("RequestPromotion", one.requested_at)
        text = (
            f"promotion {one.run_id} requested by {one.requested_by} for version {one.version or '?'} under policy "
            f"v{one.policy_version}: {one.reason}"
        )
        yield Line(section, text, sequence, one.requested_at)
        for block in one.blocks:
            yield Line(section, f"then barred by {block.reason}: {block.sentence}", sequence, one.requested_at)
    yield from _of_events(record, section, PEOPLE, "nobody asked for, approved or applied anything")


def _of_events(record: Record, section: str, events: frozenset[str], none: str) -> Iterator[Line]:
    mine = [row for row in record.audit if row.event in events]
    for row in mine:
        yield _line(section, row.event, row)
    if not mine:
        yield Line(section, none)


def _divergence(record: Record) -> Iterator[Line]:
    section = "Does trading keep it"
    for one in record.reports:
        made = one.created_at.ToDatetime(record.at.tzinfo)
        sequence = record.sequence("CreateDivergenceReport", made)
        verdict = divergencepb.DivergenceVerdict.Name(one.verdict).removeprefix("DIVERGENCE_VERDICT_")
        told, figures = "; ".join(one.reasons) or "as its replay", one.figures
        text = f"{verdict} by report {one.report_id} of {one.account}, policy v{one.policy_version}: {told}"
        yield Line(section, text, sequence, made)
        numbers = (
            f"{figures.pair_count} pairs, match {figures.match_rate:.4f}, filled {figures.fill_ratio:.4f}, slippage "
            f"{figures.live_slippage_bps:.4f} bp against {figures.replay_slippage_bps:.4f}, tracking error "
            f"{figures.tracking_error:.6f}, t {_or_none(figures.mean_t)}"
        )
        yield Line(section, numbers, sequence, made)
        if one.HasField("terms"):
            gap = ", ".join(f"{field.name} {value}" for field, value in one.terms.ListFields())
            yield Line(section, f"profit by terms: {gap}", sequence, made)
    if not record.reports:
        yield Line(section, "no divergence report")


def _everything(record: Record) -> Iterator[Line]:
    section = "Every entry of the audit log that names it"
    if record.left_out:
        yield Line(section, f"{record.left_out} older entries are left out: read them by ListAudit")
    for row in record.audit:
        yield _line(section, row.event, row)


def _line(section: str, what: str, row: AuditRow) -> Line:
    refused = "" if row.result == "OK" else f" {row.result}"
    return Line(section, f"{what} by {row.actor}{refused}: {row.detail}", row.sequence, row.time)


def _number(one: Number) -> str:
    return f"{one.name} {one.value!r} ({one.source.value} {one.source_id or 'of the run'})"


def _or_none(value: float) -> str:
    return "not measured" if math.isnan(value) else f"{value:.4f}"


def _at(instant: datetime | None) -> str:
    return "?" if instant is None else timestamp_text(instant)
