"""Evaluation requests, runs, reports and decisions as messages of the contract."""

import math
from collections.abc import Mapping
from decimal import Decimal
from itertools import islice

from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.core.decimals import format_decimal, parse_decimal
from qmtl.core.errors import refused
from qmtl.wire.fields import optional_text, require_text
from qmtl.wire.instants import instant_from_proto, instant_to_proto, span_to_proto
from qmtl.wire.mapping import mapper
from qmtl.world.v1 import decision_pb2 as decisionpb
from qmtl.world.v1 import evaluation_pb2 as evaluationpb
from qmtl.world.v1 import evaluation_service_pb2 as evaluationservicepb
from worldservice.evaluation.domain.decision import Decision
from worldservice.evaluation.domain.reports import (
    EvaluationReport,
    Number,
    RuleVerdict,
)
from worldservice.evaluation.domain.runs import EvaluationRun, Evidence, Footprint, differences
from worldservice.policy.domain.evidence import WorldAccount, terms_in_words
from worldservice.policy.domain.execution_model import PROFILE, ExecutionModel, FillModel
from worldservice.policy.domain.selection_limits import GROSS_MAX
from worldservice.worlds.domain.binding import require_strategy_id
from worldservice.worlds.wire import mode_to_proto, stage_from_proto, stage_to_proto

METRICS_MAX = 200
PARTICIPATION_MAX = 1_000  # more than all of a bar's volume is a run's own business, and never strict
FILLS = {decisionpb.FILL_MODEL_NEXT_BAR: FillModel.NEXT_BAR}
CORRELATIONS_MAX = 2_000
WARNINGS_MAX = 100


def evidence_from_request(request: evaluationservicepb.EvaluateRequest, path: str = "") -> Evidence:
    """What an Evaluate request says; `path` leads to it. Meaning is checked later. Raises InvalidRequest."""
    if len(request.metrics) > METRICS_MAX:
        raise refused("E_METRIC_VALUE", f"{path}metrics", f"{len(request.metrics)} entries", f"at most {METRICS_MAX}")
    if not (math.isfinite(request.coverage_ratio) and 0.0 <= request.coverage_ratio <= 1.0):
        raise refused("E_COVERAGE", f"{path}coverage_ratio", str(request.coverage_ratio), "a number from 0 to 1")
    start = instant_from_proto(request.data_start, f"{path}data_start") if request.HasField("data_start") else None
    end = instant_from_proto(request.data_end, f"{path}data_end") if request.HasField("data_end") else None
    if start is not None and end is not None and start > end:
        raise refused("E_TIME_RANGE", f"{path}data_end", end.isoformat(), f"at or after data_start {start.isoformat()}")
    books = request.paper_books if request.HasField("paper_books") else None
    if books is not None and request.order_list:
        raise refused("E_FIELD", f"{path}paper_books", books.account, "none beside an order_list")
    execution = footprint = None
    if request.HasField("execution_model"):
        execution = execution_from_proto(request.execution_model, f"{path}execution_model")
    if request.HasField("footprint"):
        footprint = footprint_from_proto(request.footprint, f"{path}footprint")
    return Evidence(
        run_id=require_text(request.run_id, f"{path}run_id"),
        stage=stage_from_proto(request.stage, f"{path}stage"),
        numbers=tuple(Number(metric.name, metric.value) for metric in request.metrics),
        dataset_fingerprint=optional_text(request.dataset_fingerprint, f"{path}dataset_fingerprint"),
        data_start=start,
        data_end=end,
        coverage=request.coverage_ratio,
        footprint=footprint,
        correlations=correlations_from_proto(request.correlations, f"{path}correlations"),
        execution=execution,
        order_list=optional_text(request.order_list, f"{path}order_list"),
        paper_account=require_text(books.account, f"{path}paper_books.account") if books else "",
        session_id=require_text(books.session_id, f"{path}paper_books.session_id") if books else "",
    )


def execution_from_proto(message: decisionpb.ExecutionModel, field: str) -> ExecutionModel:
    """What a run assumed, which leaves nothing open. Raises InvalidRequest (E_EXECUTION_MODEL, E_DECIMAL)."""
    if message.fill and message.fill not in FILLS:
        raise refused("E_EXECUTION_MODEL", f"{field}.fill", str(message.fill), "a fill model this version knows")
    model = ExecutionModel(
        FILLS.get(message.fill),
        _rate(message.maker_fee_rate, f"{field}.maker_fee_rate", -1, 1),
        _rate(message.taker_fee_rate, f"{field}.taker_fee_rate", -1, 1),
        _rate(message.slippage_rate, f"{field}.slippage_rate", 0, 1),
        _rate(message.participation, f"{field}.participation", 0, PARTICIPATION_MAX),
        _profile(message.profile, f"{field}.profile"),
    )
    if None in (model.fill, model.maker_fee, model.taker_fee, model.slippage, model.participation):
        raise refused("E_EXECUTION_MODEL", field, "not whole", "fill, both fee rates, slippage_rate and participation")
    return model


def execution_to_proto(model: ExecutionModel | None) -> decisionpb.ExecutionModel | None:
    """An execution model as a message; a term that is not asked, or not known, is an empty field."""
    if model is None:
        return None
    return decisionpb.ExecutionModel(
        fill=None if model.fill is None else f"FILL_MODEL_{model.fill.name}",
        maker_fee_rate=_text(model.maker_fee),
        taker_fee_rate=_text(model.taker_fee),
        slippage_rate=_text(model.slippage),
        participation=_text(model.participation),
        profile=model.profile,
    )


def account_to_proto(account: WorldAccount | None, execution: ExecutionModel | None) -> accountpb.AccountModel | None:
    """The account of a world with the costs that it asks for, as brokerage takes it; without its currency."""
    if account is None:
        return None
    asked = execution or ExecutionModel()
    made = accountpb.AccountModel(
        type=None if account.kind is None else f"ACCOUNT_TYPE_{account.kind.name}",
        leverage=account.leverage,
        starting_cash=format_decimal(account.starting_cash),
        profile=asked.profile,
    )
    if not asked.profile:
        made.maker_fee_rate_min, made.taker_fee_rate_min = _text(asked.maker_fee), _text(asked.taker_fee)
        made.slippage_rate_min, made.participation_max = _text(asked.slippage), _text(asked.participation)
    return made


def _profile(name: str, field: str) -> str:
    if name and not PROFILE.fullmatch(name):
        raise refused("E_EXECUTION_MODEL", field, repr(name[:80]), "the name of a brokerage profile, or empty")
    return name


def _text(rate: Decimal | None) -> str:
    return "" if rate is None else format_decimal(rate)


def _rate(text: str, field: str, low: int, high: int) -> Decimal | None:
    """A fee below 0 is a rebate."""
    rate = parse_decimal(text, field) if text else None
    if rate is not None and not low <= rate <= high:
        raise refused("E_EXECUTION_MODEL", field, text, f"a share from {low} to {high}")
    return rate


def footprint_from_proto(message: evaluationpb.Footprint, field: str) -> Footprint:
    """Raises InvalidRequest (E_DECIMAL, E_FOOTPRINT)."""
    long, short = _gross(message.long_gross, f"{field}.long_gross"), _gross(message.short_gross, f"{field}.short_gross")
    return Footprint(long, short, optional_text(message.sector, f"{field}.sector"))


def _gross(text: str, field: str) -> float:
    share = parse_decimal(text, field)
    if not 0 <= share <= Decimal(GROSS_MAX):
        raise refused("E_FOOTPRINT", field, text, f"a decimal from 0 to {GROSS_MAX:g}")
    return float(share)


def footprint_to_proto(footprint: Footprint) -> evaluationpb.Footprint:
    """Shares as the shortest decimals that are read as the same numbers."""
    return evaluationpb.Footprint(
        long_gross=format_decimal(Decimal(repr(footprint.long_gross))),
        short_gross=format_decimal(Decimal(repr(footprint.short_gross))),
        sector=footprint.sector,
    )


def correlations_from_proto(message: Mapping[str, float], field: str) -> tuple[tuple[str, float], ...]:
    """Raises InvalidRequest (E_CORRELATION, E_STRATEGY_ID)."""
    if len(message) > CORRELATIONS_MAX:
        raise refused("E_CORRELATION", field, f"{len(message)} entries", f"at most {CORRELATIONS_MAX}")
    for name, value in message.items():
        require_strategy_id(name)
        if not (math.isfinite(value) and -1.0 <= value <= 1.0):
            raise refused("E_CORRELATION", f"{field}.{name}", str(value), "a number from -1 to 1")
    return tuple(sorted(message.items()))


number_to_proto = mapper(Number, evaluationpb.Metric, source=lambda number: f"METRIC_SOURCE_{number.source.name}")


def verdict_to_proto(verdict: RuleVerdict) -> evaluationpb.RuleVerdict:
    return evaluationpb.RuleVerdict(
        stage=f"PIPELINE_STAGE_{verdict.stage.name}",
        rule=verdict.rule,
        outcome=f"OUTCOME_{verdict.outcome.name}",
        reason=None if verdict.reason is None else f"DECISION_REASON_{verdict.reason.name}",
        inputs=[number_to_proto(number) for number in verdict.inputs],
        explanation=verdict.explanation,
    )


report_to_proto = mapper(
    EvaluationReport,
    evaluationpb.EvaluationReport,
    summary=lambda report: f"EVALUATION_SUMMARY_{report.summary.name}",
    verdicts=lambda report: [verdict_to_proto(verdict) for verdict in report.verdicts],
)


def run_to_proto(run: EvaluationRun) -> evaluationpb.EvaluationRun:
    evidence = run.evidence
    return evaluationpb.EvaluationRun(
        world_id=run.world_id,
        strategy_id=run.strategy_id,
        run_id=evidence.run_id,
        stage=stage_to_proto(evidence.stage),
        run_revision=run.revision,
        metrics=[number_to_proto(number) for number in evidence.numbers],
        report=None if run.report is None else report_to_proto(run.report),
        recommended_stage=stage_to_proto(run.recommended_stage),
        dataset_fingerprint=evidence.dataset_fingerprint,
        data_start=instant_to_proto(evidence.data_start),
        data_end=instant_to_proto(evidence.data_end),
        created_by=run.created_by,
        created_at=instant_to_proto(run.created_at),
        coverage_ratio=evidence.coverage,
        footprint=None if evidence.footprint is None else footprint_to_proto(evidence.footprint),
        correlations=dict(evidence.correlations),
        execution_model=execution_to_proto(evidence.execution),
        evidence_state="EVIDENCE_STATE_REPLAYED" if evidence.replayed else "EVIDENCE_STATE_CLAIMED",
        order_list=evidence.order_list,
        claims=[number_to_proto(number) for number in evidence.claims],
        warnings=islice(evidence.warnings(), WARNINGS_MAX),
        data_presets=evidence.data_presets,
        paper_books=books_to_proto(evidence),
    )


def books_to_proto(evidence: Evidence) -> evaluationpb.PaperBooks | None:
    """The paper account that a run names, or None."""
    if not evidence.paper_account:
        return None
    return evaluationpb.PaperBooks(account=evidence.paper_account, session_id=evidence.session_id)


def verified_to_proto(run: EvaluationRun, again: Evidence) -> evaluationservicepb.VerifyEvaluationRunResponse:
    """A run beside what it came to when it was computed anew."""
    return evaluationservicepb.VerifyEvaluationRunResponse(
        run=run_to_proto(run),
        metrics=[number_to_proto(number) for number in again.numbers],
        differences=differences(run.evidence, again),
        terms=terms_in_words(run.evidence.account),
        terms_now=terms_in_words(again.account),
    )


def run_head_to_proto(run: EvaluationRun) -> evaluationpb.EvaluationRun:
    """A run without its metrics, correlations and report."""
    message = run_to_proto(run)
    for part in ("metrics", "correlations", "report", "claims", "warnings"):
        message.ClearField(part)
    return message


def decision_to_proto(decision: Decision) -> decisionpb.DecisionEnvelope:
    """The envelope as followers get it."""
    return decisionpb.DecisionEnvelope(
        world_id=decision.world_id,
        policy_version=decision.policy_version,
        effective_mode=mode_to_proto(decision.effective_mode),
        reasons=[f"DECISION_REASON_{reason.name}" for reason in decision.reasons],
        as_of=instant_to_proto(decision.as_of),
        ttl=span_to_proto(decision.ttl),
        etag=decision.etag,
        dataset_fingerprint=decision.dataset_fingerprint,
        coverage_ratio=decision.coverage,
        data_end=instant_to_proto(decision.data_end),
        decided_at=instant_to_proto(decision.decided_at),
        ruleset_hash=decision.ruleset_hash,
        selected=decision.selected,
        execution_model=execution_to_proto(decision.execution),
        evidence=None if decision.evidence is None else f"EVIDENCE_RULE_{decision.evidence.name}",
        account_model=account_to_proto(decision.account, decision.execution),
        on_promote=None if decision.on_promote is None else f"ON_PROMOTE_{decision.on_promote.name}",
    )
