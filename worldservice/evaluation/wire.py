"""Proto and domain, both ways: evaluation runs with their reports, and the DecisionEnvelope."""

import math
from collections.abc import Mapping
from decimal import Decimal

from qmtl.core.decimals import format_decimal, parse_decimal
from qmtl.core.errors import refused
from qmtl.wire.instants import instant_from_proto
from qmtl.world.v1 import decision_pb2 as decisionpb
from qmtl.world.v1 import evaluation_pb2 as evaluationpb
from qmtl.world.v1 import evaluation_service_pb2 as evaluationservicepb
from worldservice.evaluation.domain.decision import Decision
from worldservice.evaluation.domain.reports import (
    EvaluationReport,
    MetricSource,
    Number,
    Outcome,
    PipelineStage,
    RuleVerdict,
    Summary,
)
from worldservice.evaluation.domain.runs import EvaluationRun, Evidence, Footprint
from worldservice.policy.domain.execution_model import ExecutionModel, FillModel
from worldservice.policy.domain.selection_limits import GROSS_MAX
from worldservice.worlds.domain.binding import require_strategy_id
from worldservice.worlds.fields import (
    enum_from_proto,
    instant_to_proto,
    mode_from_proto,
    mode_to_proto,
    optional_text,
    require_text,
    span_to_proto,
)
from worldservice.worlds.wire import stage_from_proto, stage_to_proto

METRICS_MAX = 200
PARTICIPATION_MAX = 1_000  # more than all of a bar's volume is a run's own business, and never strict
FILLS = {decisionpb.FILL_MODEL_NEXT_BAR: FillModel.NEXT_BAR}
CORRELATIONS_MAX = 2_000


def evidence_from_request(request: evaluationservicepb.EvaluateRequest) -> Evidence:
    """What an Evaluate request says; numbers are checked by meaning later. Raises InvalidRequest."""
    if len(request.metrics) > METRICS_MAX:
        raise refused("E_METRIC_VALUE", "metrics", f"{len(request.metrics)} entries", f"at most {METRICS_MAX}")
    if not (math.isfinite(request.coverage) and 0.0 <= request.coverage <= 1.0):
        raise refused("E_COVERAGE", "coverage", str(request.coverage), "a number from 0 to 1")
    start = instant_from_proto(request.data_start, "data_start") if request.HasField("data_start") else None
    end = instant_from_proto(request.data_end, "data_end") if request.HasField("data_end") else None
    if start is not None and end is not None and start > end:
        raise refused("E_TIME_RANGE", "data_end", end.isoformat(), f"at or after data_start {start.isoformat()}")
    return Evidence(
        run_id=require_text(request.run_id, "run_id"),
        stage=stage_from_proto(request.stage, "stage"),
        numbers=tuple(Number(metric.name, metric.value) for metric in request.metrics),
        dataset_fingerprint=optional_text(request.dataset_fingerprint, "dataset_fingerprint"),
        data_start=start,
        data_end=end,
        coverage=request.coverage,
        footprint=footprint_from_proto(request.footprint) if request.HasField("footprint") else None,
        correlations=correlations_from_proto(request.correlations),
        execution=_execution(request, whole=True),
    )


def _execution(
    message: evaluationservicepb.EvaluateRequest | evaluationpb.EvaluationRun | decisionpb.DecisionEnvelope,
    *,
    whole: bool,
) -> ExecutionModel | None:
    if not message.HasField("execution_model"):
        return None
    return execution_from_proto(message.execution_model, "execution_model", whole=whole)


def execution_from_proto(message: decisionpb.ExecutionModel, field: str, *, whole: bool) -> ExecutionModel:
    """`whole`: what a run says, which leaves nothing open. Raises InvalidRequest (E_EXECUTION_MODEL, E_DECIMAL)."""
    if message.fill and message.fill not in FILLS:
        raise refused("E_EXECUTION_MODEL", f"{field}.fill", str(message.fill), "a fill model this version knows")
    model = ExecutionModel(
        FILLS.get(message.fill),
        _rate(message.maker_fee_rate, f"{field}.maker_fee_rate", -1, 1),
        _rate(message.taker_fee_rate, f"{field}.taker_fee_rate", -1, 1),
        _rate(message.slippage_rate, f"{field}.slippage_rate", 0, 1),
        _rate(message.participation, f"{field}.participation", 0, PARTICIPATION_MAX),
    )
    if whole and None in (model.fill, model.maker_fee, model.taker_fee, model.slippage, model.participation):
        raise refused("E_EXECUTION_MODEL", field, "not whole", "fill, both fee rates, slippage_rate and participation")
    return model


def execution_to_proto(model: ExecutionModel | None) -> decisionpb.ExecutionModel | None:
    if model is None:
        return None
    return decisionpb.ExecutionModel(
        fill=None if model.fill is None else f"FILL_MODEL_{model.fill.name}",
        maker_fee_rate=_text(model.maker_fee),
        taker_fee_rate=_text(model.taker_fee),
        slippage_rate=_text(model.slippage),
        participation=_text(model.participation),
    )


def _text(rate: Decimal | None) -> str:
    return "" if rate is None else format_decimal(rate)


def _rate(text: str, field: str, low: int, high: int) -> Decimal | None:
    """A fee below 0 is a rebate."""
    rate = parse_decimal(text, field) if text else None
    if rate is not None and not low <= rate <= high:
        raise refused("E_EXECUTION_MODEL", field, text, f"a share from {low} to {high}")
    return rate


def footprint_from_proto(message: evaluationpb.Footprint) -> Footprint:
    """Raises InvalidRequest (E_FOOTPRINT)."""
    for field, value in (("long_gross", message.long_gross), ("short_gross", message.short_gross)):
        if not (math.isfinite(value) and 0.0 <= value <= GROSS_MAX):
            raise refused("E_FOOTPRINT", f"footprint.{field}", str(value), f"a number from 0 to {GROSS_MAX:g}")
    sector = optional_text(message.sector, "footprint.sector")
    return Footprint(message.long_gross, message.short_gross, sector)


def footprint_to_proto(footprint: Footprint) -> evaluationpb.Footprint:
    return evaluationpb.Footprint(
        long_gross=footprint.long_gross, short_gross=footprint.short_gross, sector=footprint.sector
    )


def correlations_from_proto(message: Mapping[str, float]) -> tuple[tuple[str, float], ...]:
    """Raises InvalidRequest (E_CORRELATION, E_STRATEGY_ID)."""
    if len(message) > CORRELATIONS_MAX:
        raise refused("E_CORRELATION", "correlations", f"{len(message)} entries", f"at most {CORRELATIONS_MAX}")
    for name, value in message.items():
        require_strategy_id(name)
        if not (math.isfinite(value) and -1.0 <= value <= 1.0):
            raise refused("E_CORRELATION", f"correlations.{name}", str(value), "a number from -1 to 1")
    return tuple(sorted(message.items()))


def number_to_proto(number: Number) -> evaluationpb.Metric:
    return evaluationpb.Metric(
        name=number.name,
        value=number.value,
        source=f"METRIC_SOURCE_{number.source.name}",
        source_id=number.source_id,
    )


def number_from_proto(message: evaluationpb.Metric) -> Number:
    source = enum_from_proto(message.source, evaluationpb.MetricSource, "METRIC_SOURCE_", MetricSource, "source")
    return Number(message.name, message.value, source, message.source_id)


def verdict_to_proto(verdict: RuleVerdict) -> evaluationpb.RuleVerdict:
    return evaluationpb.RuleVerdict(
        stage=f"PIPELINE_STAGE_{verdict.stage.name}",
        rule=verdict.rule,
        outcome=f"OUTCOME_{verdict.outcome.name}",
        reason=verdict.reason,
        inputs=[number_to_proto(number) for number in verdict.inputs],
        explanation=verdict.explanation,
    )


def verdict_from_proto(message: evaluationpb.RuleVerdict) -> RuleVerdict:
    return RuleVerdict(
        stage=enum_from_proto(
            message.stage, evaluationpb.PipelineStage, "PIPELINE_STAGE_", PipelineStage, "verdicts.stage"
        ),
        rule=message.rule,
        outcome=enum_from_proto(message.outcome, evaluationpb.Outcome, "OUTCOME_", Outcome, "verdicts.outcome"),
        reason=message.reason,
        inputs=tuple(number_from_proto(number) for number in message.inputs),
        explanation=message.explanation,
    )


def report_to_proto(report: EvaluationReport) -> evaluationpb.EvaluationReport:
    return evaluationpb.EvaluationReport(
        world_id=report.world_id,
        strategy_id=report.strategy_id,
        policy_version=report.policy_version,
        ruleset_hash=report.ruleset_hash,
        summary=f"EVALUATION_SUMMARY_{report.summary.name}",
        verdicts=[verdict_to_proto(verdict) for verdict in report.verdicts],
        score=report.score,
        selected=report.selected,
        rank=report.rank,
        evaluated_at=instant_to_proto(report.evaluated_at),
    )


def report_from_proto(message: evaluationpb.EvaluationReport) -> EvaluationReport:
    return EvaluationReport(
        world_id=message.world_id,
        strategy_id=message.strategy_id,
        policy_version=message.policy_version,
        ruleset_hash=message.ruleset_hash,
        summary=enum_from_proto(
            message.summary, evaluationpb.EvaluationSummary, "EVALUATION_SUMMARY_", Summary, "summary"
        ),
        verdicts=tuple(verdict_from_proto(verdict) for verdict in message.verdicts),
        score=message.score if message.HasField("score") else None,
        selected=message.selected,
        rank=message.rank,
        evaluated_at=instant_from_proto(message.evaluated_at, "evaluated_at"),
    )


def run_to_proto(run: EvaluationRun) -> evaluationpb.EvaluationRun:
    evidence = run.evidence
    return evaluationpb.EvaluationRun(
        world_id=run.world_id,
        strategy_id=run.strategy_id,
        run_id=evidence.run_id,
        stage=stage_to_proto(evidence.stage),
        revision=run.revision,
        metrics=[number_to_proto(number) for number in evidence.numbers],
        report=None if run.report is None else report_to_proto(run.report),
        recommended_stage=stage_to_proto(run.recommended_stage),
        dataset_fingerprint=evidence.dataset_fingerprint,
        data_start=instant_to_proto(evidence.data_start),
        data_end=instant_to_proto(evidence.data_end),
        created_by=run.created_by,
        created_at=instant_to_proto(run.created_at),
        coverage=evidence.coverage,
        footprint=None if evidence.footprint is None else footprint_to_proto(evidence.footprint),
        correlations=dict(evidence.correlations),
        execution_model=execution_to_proto(evidence.execution),
    )


def run_from_proto(message: evaluationpb.EvaluationRun) -> EvaluationRun:
    evidence = Evidence(
        run_id=message.run_id,
        stage=stage_from_proto(message.stage, "stage"),
        numbers=tuple(number_from_proto(metric) for metric in message.metrics),
        dataset_fingerprint=message.dataset_fingerprint,
        data_start=instant_from_proto(message.data_start, "data_start") if message.HasField("data_start") else None,
        data_end=instant_from_proto(message.data_end, "data_end") if message.HasField("data_end") else None,
        coverage=message.coverage,
        footprint=footprint_from_proto(message.footprint) if message.HasField("footprint") else None,
        correlations=correlations_from_proto(message.correlations),
        execution=_execution(message, whole=True),
    )
    return EvaluationRun(
        world_id=message.world_id,
        strategy_id=message.strategy_id,
        revision=message.revision,
        evidence=evidence,
        report=report_from_proto(message.report) if message.HasField("report") else None,
        recommended_stage=stage_from_proto(message.recommended_stage, "recommended_stage"),
        created_by=message.created_by,
        created_at=instant_from_proto(message.created_at, "created_at"),
    )


def decision_to_proto(decision: Decision) -> decisionpb.DecisionEnvelope:
    return decisionpb.DecisionEnvelope(
        world_id=decision.world_id,
        policy_version=decision.policy_version,
        effective_mode=mode_to_proto(decision.effective_mode),
        reasons=decision.reasons,
        as_of=instant_to_proto(decision.as_of),
        ttl=span_to_proto(decision.ttl),
        etag=decision.etag,
        dataset_fingerprint=decision.dataset_fingerprint,
        coverage=decision.coverage,
        data_end=instant_to_proto(decision.data_end),
        decided_at=instant_to_proto(decision.decided_at),
        ruleset_hash=decision.ruleset_hash,
        selected=decision.selected,
        execution_model=execution_to_proto(decision.execution),
    )


def decision_from_proto(message: decisionpb.DecisionEnvelope) -> Decision:
    return Decision(
        world_id=message.world_id,
        policy_version=message.policy_version,
        effective_mode=mode_from_proto(message.effective_mode, "effective_mode"),
        reasons=tuple(message.reasons),
        as_of=instant_from_proto(message.as_of, "as_of") if message.HasField("as_of") else None,
        ttl=message.ttl.ToTimedelta(),
        dataset_fingerprint=message.dataset_fingerprint,
        coverage=message.coverage,
        data_end=instant_from_proto(message.data_end, "data_end") if message.HasField("data_end") else None,
        decided_at=instant_from_proto(message.decided_at, "decided_at"),
        ruleset_hash=message.ruleset_hash,
        selected=tuple(message.selected),
        execution=_execution(message, whole=False),
    )
