"""Decide and Evaluate over the wire: explained, idempotent, with the source of every number."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import InvalidRequest, NotFound, NotReady, PermissionDenied
from qmtl.core.roles import Role
from qmtl.world.v1 import audit_service_pb2 as auditservicepb
from qmtl.world.v1 import binding_pb2 as bindingpb
from qmtl.world.v1 import binding_service_pb2 as bindingservicepb
from qmtl.world.v1 import decision_pb2 as decisionpb
from qmtl.world.v1 import evaluation_pb2 as evaluationpb
from qmtl.world.v1 import evaluation_service_pb2 as evaluationservicepb
from qmtl.world.v1 import policy_service_pb2 as policyservicepb
from qmtl.world.v1 import world_service_pb2 as worldservicepb
from tests.support.world_stubs import WorldStubs
from tests.worldservice.harness import COMPUTE_ONLY, PAPER, WorldHarness, evaluation, make_world, stamp
from tests.worldservice.samples import cohort_chunks


async def decision(harness: WorldHarness, world_id: str = "w1") -> decisionpb.DecisionEnvelope:
    ann = await harness.stub()
    return (await ann.evaluation.Decide(evaluationservicepb.DecideRequest(world_id=world_id))).decision


async def bound(harness: WorldHarness, *strategies: str) -> None:
    ann = await make_world(harness, "w1")
    for strategy_id in strategies:
        await ann.bindings.BindStrategy(bindingservicepb.BindStrategyRequest(world_id="w1", strategy_id=strategy_id))


async def test_a_world_without_bindings_only_validates(harness: WorldHarness) -> None:
    await bound(harness)
    shown = await decision(harness)
    assert list(shown.reasons) == [decisionpb.DECISION_REASON_NO_BINDINGS]
    assert decisionpb.DecisionEnvelope().effective_mode != shown.effective_mode


async def test_a_pass_raises_the_ceiling_to_paper_and_says_why_not_live(harness: WorldHarness) -> None:
    await bound(harness, "s")
    assert (await decision(harness)).effective_mode == COMPUTE_ONLY
    ann = await harness.stub()
    reply = await ann.evaluation.Evaluate(evaluation(harness, "w1", "s"))
    assert reply.run.report.summary == evaluationpb.EVALUATION_SUMMARY_PASS
    assert (reply.run.report.selected, reply.run.report.rank) == (True, 1)
    assert reply.run.recommended_stage == bindingpb.STAGE_PAPER
    shown = await decision(harness)
    assert shown == reply.decision
    assert shown.effective_mode == PAPER
    assert list(shown.reasons) == [
        decisionpb.DECISION_REASON_LIVE_NOT_ALLOWED,
        decisionpb.DECISION_REASON_DATA_PRESETS_MISSING,
        decisionpb.DECISION_REASON_LIVE_NOT_APPROVED,
        decisionpb.DECISION_REASON_EVIDENCE_CLAIMED,
    ]
    assert shown.evidence == decisionpb.EVIDENCE_RULE_CLAIMS
    assert reply.run.evidence_state == evaluationpb.EVIDENCE_STATE_CLAIMED
    assert list(shown.selected) == ["s"]
    assert (shown.dataset_fingerprint, shown.coverage_ratio) == ("blake3:data", 0.97)
    assert shown.ttl.ToTimedelta() == timedelta(seconds=300)
    assert shown.ruleset_hash == reply.run.report.ruleset_hash


async def test_deciding_changes_nothing_and_the_etag_follows_content(harness: WorldHarness) -> None:
    await bound(harness, "s")
    ann = await harness.stub()
    await ann.evaluation.Evaluate(evaluation(harness, "w1", "s"))
    first = await decision(harness)
    harness.clock.advance(5.0)
    later = await decision(harness)
    assert later.etag == first.etag
    assert later.decided_at != first.decided_at
    await ann.worlds.UpdateWorld(
        worldservicepb.UpdateWorldRequest(
            world_id="w1", circuit_breaker=True, update_mask={"paths": ["circuit_breaker"]}
        )
    )
    assert (await decision(harness)).etag != first.etag


async def test_a_failing_gate_says_which_with_the_numbers(harness: WorldHarness) -> None:
    await bound(harness, "s")
    ann = await harness.stub()
    report = (await ann.evaluation.Evaluate(evaluation(harness, "w1", "s", sharpe=0.2))).run.report
    failed = [v for v in report.verdicts if v.outcome == evaluationpb.OUTCOME_FAIL]
    assert [(v.rule, v.reason) for v in failed] == [("sharpe >= 0.6", decisionpb.DECISION_REASON_GATE_FAILED)]
    assert [(n.name, n.value) for n in failed[0].inputs] == [("sharpe", 0.2)]
    assert not report.selected
    assert not report.HasField("score")


async def test_the_same_run_twice_is_one_revision_and_other_numbers_are_the_next(harness: WorldHarness) -> None:
    await bound(harness, "s")
    ann = await harness.stub()
    request = evaluation(harness, "w1", "s")
    first = (await ann.evaluation.Evaluate(request)).run
    assert (await ann.evaluation.Evaluate(request)).run == first
    changed = evaluationservicepb.EvaluateRequest()
    changed.CopyFrom(request)
    changed.metrics[1].value = 2.0
    assert (await ann.evaluation.Evaluate(changed)).run.run_revision == 2
    shown = await ann.evaluation.GetEvaluationRun(
        evaluationservicepb.GetEvaluationRunRequest(world_id="w1", strategy_id="s", run_id="run-1")
    )
    assert shown.run.run_revision == 2
    listed = (
        await ann.evaluation.ListEvaluationRuns(evaluationservicepb.ListEvaluationRunsRequest(world_id="w1"))
    ).runs
    assert [(run.run_id, run.run_revision) for run in listed] == [("run-1", 2)]


async def test_empty_metrics_come_from_the_latest_run_and_say_so(harness: WorldHarness) -> None:
    await bound(harness, "s")
    ann = await harness.stub()
    empty = evaluationservicepb.EvaluateRequest(
        world_id="w1", strategy_id="s", run_id="run-2", stage=bindingpb.STAGE_BACKTEST
    )
    with pytest.raises(NotReady) as caught:
        await ann.evaluation.Evaluate(empty)
    assert caught.value.reason == "E_NO_METRICS"
    await ann.evaluation.Evaluate(evaluation(harness, "w1", "s"))
    run = (await ann.evaluation.Evaluate(empty)).run
    assert {(m.source, m.source_id) for m in run.metrics} == {(evaluationpb.METRIC_SOURCE_LATEST_RUN, "run-1")}
    assert run.report.selected
    assert run.dataset_fingerprint == "blake3:data"


@pytest.mark.parametrize(
    ("metric", "reason"),
    [
        (evaluationpb.Metric(name="luck", value=1.0), "E_METRIC_UNKNOWN"),
        (evaluationpb.Metric(name="sortino", value=math.nan), "E_METRIC_NOT_FINITE"),
        (evaluationpb.Metric(name="sortino", value=math.inf), "E_METRIC_NOT_FINITE"),
        (evaluationpb.Metric(name="n_trades", value=1.5), "E_METRIC_VALUE"),
        (evaluationpb.Metric(name="sharpe", value=1.0), "E_METRIC_TWICE"),
    ],
)
async def test_a_bad_metric_is_refused(harness: WorldHarness, metric: evaluationpb.Metric, reason: str) -> None:
    await bound(harness, "s")
    ann = await harness.stub()
    request = evaluation(harness, "w1", "s")
    request.metrics.append(metric)
    with pytest.raises(InvalidRequest) as caught:
        await ann.evaluation.Evaluate(request)
    assert caught.value.reason == reason
    assert not (
        await ann.evaluation.ListEvaluationRuns(evaluationservicepb.ListEvaluationRunsRequest(world_id="w1"))
    ).runs


async def test_an_unbound_strategy_is_not_evaluated(harness: WorldHarness) -> None:
    await bound(harness)
    ann = await harness.stub()
    with pytest.raises(NotFound) as caught:
        await ann.evaluation.Evaluate(evaluation(harness, "w1", "s"))
    assert caught.value.reason == "E_BINDING_UNKNOWN"


async def test_a_time_range_that_ends_before_it_starts_is_refused(harness: WorldHarness) -> None:
    await bound(harness, "s")
    ann = await harness.stub()
    request = evaluation(harness, "w1", "s")
    request.data_start.CopyFrom(stamp(harness.clock.now()))
    with pytest.raises(InvalidRequest) as caught:
        await ann.evaluation.Evaluate(request)
    assert caught.value.reason == "E_TIME_RANGE"


async def test_an_unspecified_stage_is_refused(harness: WorldHarness) -> None:
    await bound(harness, "s")
    ann = await harness.stub()
    request = evaluation(harness, "w1", "s")
    request.stage = bindingpb.STAGE_UNSPECIFIED
    with pytest.raises(InvalidRequest) as caught:
        await ann.evaluation.Evaluate(request)
    assert caught.value.reason == "E_ENUM"


async def test_a_paper_run_is_recorded_and_does_not_replace_the_backtest_evidence(harness: WorldHarness) -> None:
    await bound(harness, "s")
    ann = await harness.stub()
    await ann.evaluation.Evaluate(evaluation(harness, "w1", "s"))
    paper = evaluation(harness, "w1", "s", "paper-1", sample_days=2)
    paper.stage = bindingpb.STAGE_PAPER
    run = (await ann.evaluation.Evaluate(paper)).run
    assert run.report.summary == evaluationpb.EVALUATION_SUMMARY_FAIL
    assert (await decision(harness)).effective_mode == PAPER


async def test_the_as_of_asked_for_is_the_as_of_answered(harness: WorldHarness) -> None:
    await bound(harness, "s")
    ann = await harness.stub()
    as_of = stamp(harness.clock.now() - timedelta(days=3))
    assert (
        await ann.evaluation.Decide(evaluationservicepb.DecideRequest(world_id="w1", as_of=as_of))
    ).decision.as_of == as_of


async def test_an_unknown_world_is_not_found(harness: WorldHarness) -> None:
    ann = await harness.stub()
    with pytest.raises(NotFound) as caught:
        await ann.evaluation.Decide(evaluationservicepb.DecideRequest(world_id="nowhere"))
    assert caught.value.reason == "E_WORLD_UNKNOWN"


PATIENT = """\
data_currency: {max_lag: 5m}
selection:
  gates: "sharpe > 0.5"
  score: "sharpe"
  constraints: {correlation: {max_pairwise: 0.8}, exposure: {max_leverage: 1.0}}
  hysteresis: {promote_after: 2, demote_after: 2}
evidence: claims
"""


def cohort(harness: WorldHarness, run_id: str, **sharpes: float) -> evaluationservicepb.EvaluationCohort:
    request = evaluationservicepb.EvaluationCohort(world_id="w1", run_id=run_id, stage=bindingpb.STAGE_BACKTEST)
    for strategy_id, sharpe in sharpes.items():
        each = evaluation(harness, "w1", strategy_id, run_id, sharpe=sharpe)
        each.footprint.CopyFrom(evaluationpb.Footprint(long_gross="0.3", short_gross="0.2", sector="crypto"))
        for other in sharpes:
            each.correlations[other] = 0.9 if {strategy_id, other} == {"a", "b"} else 0.1
        request.strategies.append(each)
    return request


async def stored(ann: WorldStubs, run: evaluationpb.EvaluationRun) -> evaluationpb.EvaluationRun:
    request = evaluationservicepb.GetEvaluationRunRequest(
        world_id=run.world_id, strategy_id=run.strategy_id, run_id=run.run_id
    )
    return (await ann.evaluation.GetEvaluationRun(request)).run


async def test_a_cohort_is_judged_together_and_repeating_it_changes_nothing(harness: WorldHarness) -> None:
    await bound(harness, "a", "b", "c")
    ann = await harness.stub()
    await ann.policies.PutPolicy(policyservicepb.PutPolicyRequest(world_id="w1", document=PATIENT, make_default=True))
    first = await ann.evaluation.EvaluateCohort(cohort_chunks(cohort(harness, "r1", a=3.0, b=2.0, c=1.0)))
    assert not first.decision.selected
    again = await ann.evaluation.EvaluateCohort(cohort_chunks(cohort(harness, "r1", a=3.0, b=2.0, c=1.0)))
    assert list(again.runs) == list(first.runs)
    assert not again.decision.selected
    await harness.stop()
    await harness.start()
    harness.clock.advance(60.0)
    second = await ann.evaluation.EvaluateCohort(cohort_chunks(cohort(harness, "r2", a=3.0, b=2.0, c=1.0)))
    assert list(second.decision.selected) == ["a", "c"]
    assert [(run.strategy_id, len(run.metrics), len(run.correlations)) for run in second.runs] == [
        ("a", 0, 0), ("b", 0, 0), ("c", 0, 0)
    ]  # fmt: skip
    runs = [await stored(ann, run) for run in second.runs]
    reasons = {run.strategy_id: [v.reason for v in run.report.verdicts][-1] for run in runs}
    assert reasons == {"a": 0, "b": decisionpb.DECISION_REASON_CORRELATED, "c": 0}
    assert second.runs[0].footprint.sector == "crypto"
    assert runs[0].correlations["b"] == 0.9
    harness.clock.advance(60.0)
    third = await ann.evaluation.EvaluateCohort(cohort_chunks(cohort(harness, "r3", a=0.1, b=2.0, c=1.0)))
    assert list(third.decision.selected) == ["c", "a"]
    last = await stored(ann, third.runs[0])
    assert last.report.verdicts[-1].reason == decisionpb.DECISION_REASON_HELD_BY_HYSTERESIS


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"world_id": "w2"}, "E_COHORT"),
        ({"run_id": "other"}, "E_COHORT"),
        ({"stage": bindingpb.STAGE_PAPER}, "E_COHORT"),
        ({"strategy_id": "b"}, "E_COHORT"),
        ({"footprint": evaluationpb.Footprint(long_gross="-1", short_gross="0")}, "E_FOOTPRINT"),
        ({"footprint": evaluationpb.Footprint(long_gross="0", short_gross="1000.1")}, "E_FOOTPRINT"),
        ({"footprint": evaluationpb.Footprint(long_gross="1e-1", short_gross="0")}, "E_DECIMAL"),
        ({"correlations": {"b": 1.5}}, "E_CORRELATION"),
        ({"correlations": {"?": 0.5}}, "E_STRATEGY_ID"),
    ],
)
async def test_a_cohort_that_does_not_belong_together_is_refused(
    harness: WorldHarness, change: dict[str, object], reason: str
) -> None:
    await bound(harness, "a", "b")
    ann = await harness.stub()
    request = cohort(harness, "r1", a=1.0, b=1.0)
    request.strategies[0].MergeFrom(evaluationservicepb.EvaluateRequest(**change))  # type: ignore[arg-type]  # fields by name
    with pytest.raises(InvalidRequest) as caught:
        await ann.evaluation.EvaluateCohort(cohort_chunks(request))
    assert caught.value.reason == reason
    with pytest.raises(NotFound):
        await ann.evaluation.GetEvaluationRun(
            evaluationservicepb.GetEvaluationRunRequest(world_id="w1", strategy_id="b", run_id="r1")
        )


async def test_a_large_evaluation_is_read_for_who_may_make_it_only_and_audited(harness: WorldHarness) -> None:
    await bound(harness, "s")
    request = evaluation(harness, "w1", "s")
    for number in range(2000):
        request.correlations[f"another-strategy-{number}"] = 0.5
    assert request.ByteSize() > 40_000
    bob = await harness.stub(Role.READER, "bob")
    with pytest.raises(PermissionDenied):
        await bob.evaluation.Evaluate(request)
    ann = await harness.stub()
    reply = await ann.evaluation.Evaluate(request)
    assert reply.run.report.summary == evaluationpb.EVALUATION_SUMMARY_PASS
    page = commonpb.PageRequest(page_size=100)
    entries = (await ann.audit.ListAudit(auditservicepb.ListAuditRequest(world_id="w1", page=page))).entries
    judged = [entry for entry in entries if entry.event == "Evaluate"]
    refused, taken = sorted(judged, key=lambda entry: entry.actor != "bob")
    assert (refused.actor, refused.request) == ("bob", f"{request.ByteSize()} bytes")
    assert taken.request.startswith('{"world_id": "w1", "strategy_id": "s"')
