"""Runs whose numbers come from a replay: claims decide nothing, and what cannot be replayed counts for nothing."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal

import pyarrow as pa
import pytest

from qmtl.broker.v1 import replay_pb2 as replaypb
from qmtl.broker.v1 import replay_service_pb2 as replayservicepb
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import Exhausted, InvalidRequest, NotFound, NotReady, Unavailable
from qmtl.world.v1 import binding_pb2 as bindingpb
from qmtl.world.v1 import binding_service_pb2 as bindingservicepb
from qmtl.world.v1 import decision_pb2 as decisionpb
from qmtl.world.v1 import evaluation_pb2 as evaluationpb
from qmtl.world.v1 import evaluation_service_pb2 as evaluationservicepb
from qmtl.world.v1 import policy_service_pb2 as policyservicepb
from tests.support.world_stubs import WorldStubs
from tests.worldservice.harness import PAPER, WorldHarness, evaluation, eventually, make_world, replayed, stamp
from tests.worldservice.samples import DOCUMENT, GOOD, list_chunks, order_list
from worldservice.evaluation.replay.numbers import Replayed

PENDING, REFUSED = evaluationpb.EVIDENCE_STATE_PENDING, evaluationpb.EVIDENCE_STATE_REFUSED
REPLAYED = evaluationpb.EVIDENCE_STATE_REPLAYED
COMPUTE_ONLY = commonpb.EFFECTIVE_MODE_COMPUTE_ONLY


async def bound(harness: WorldHarness, document: str = DOCUMENT, presets: tuple[str, ...] = ()) -> WorldStubs:
    ann = await make_world(harness, "w1", document=document, presets=presets)
    await ann.bindings.BindStrategy(bindingservicepb.BindStrategyRequest(world_id="w1", strategy_id="s"))
    return ann


async def run_of(ann: WorldStubs, run_id: str = "run-1") -> evaluationpb.EvaluationRun:
    request = evaluationservicepb.GetEvaluationRunRequest(world_id="w1", strategy_id="s", run_id=run_id)
    return (await ann.evaluation.GetEvaluationRun(request)).run


async def decided(ann: WorldStubs) -> decisionpb.DecisionEnvelope:
    return (await ann.evaluation.Decide(evaluationservicepb.DecideRequest(world_id="w1"))).decision


async def settled(harness: WorldHarness, ann: WorldStubs, run_id: str = "run-1") -> evaluationpb.EvaluationRun:
    """The run once it waits no longer; the service's clock goes on meanwhile."""

    async def is_settled() -> bool:
        harness.clock.advance(5.0)
        return (await run_of(ann, run_id)).evidence_state != PENDING

    await eventually(is_settled)
    return await run_of(ann, run_id)


async def test_claims_stand_beside_and_decide_nothing(harness: WorldHarness) -> None:
    ann = await bound(harness)
    run = await replayed(harness, ann, "s", sharpe=1e6, max_drawdown=0.0)
    assert run.evidence_state == REPLAYED
    assert run.report.summary == evaluationpb.EVALUATION_SUMMARY_PASS
    numbers = {metric.name: metric for metric in run.metrics}
    assert numbers["n_trades"].value == 1.0
    assert numbers["win_rate"].value == 1.0
    assert numbers["sharpe"].value < 100.0
    assert numbers["exposure"].value == 0.5
    assert {metric.source for metric in run.metrics} == {evaluationpb.METRIC_SOURCE_REPLAY}
    assert {metric.source_id for metric in run.metrics} == {run.order_list}
    assert {claim.name: claim.value for claim in run.claims} == {**GOOD, "sharpe": 1e6, "max_drawdown": 0.0}
    said = f"sharpe is claimed to be 1000000.0, the replay came to {numbers['sharpe'].value!r}"
    assert said in run.warnings
    assert not any(line.startswith("sample_days ") for line in run.warnings) or numbers["sample_days"].value != 90.0
    assert run.dataset_fingerprint == "sha256:data"  # not what the request says
    assert run.data_end.ToDatetime() == (harness.clock.now() - timedelta(minutes=1)).replace(tzinfo=None)
    assert run.execution_model.taker_fee_rate == "0.001"
    decision = await decided(ann)
    assert (decision.effective_mode, decision.evidence) == (PAPER, decisionpb.EVIDENCE_RULE_REPLAY)
    assert decisionpb.DECISION_REASON_EVIDENCE_CLAIMED not in decision.reasons
    assert decision.account_model.starting_cash == "100000"


async def test_numbers_only_are_told_the_rule(harness: WorldHarness) -> None:
    ann = await bound(harness)
    run = (await ann.evaluation.Evaluate(evaluation(harness, "w1", "s"))).run
    assert run.report.summary == evaluationpb.EVALUATION_SUMMARY_FAIL
    line = run.report.verdicts[-2]
    assert line.reason == decisionpb.DECISION_REASON_EVIDENCE_CLAIMED
    assert "send the order list" in line.explanation
    assert (await decided(ann)).effective_mode == COMPUTE_ONLY


async def test_what_a_runner_says_of_paper_is_a_claim_and_raises_nobody(harness: WorldHarness) -> None:
    ann = await bound(harness)
    request = evaluation(harness, "w1", "s", "paper-1")
    request.stage = bindingpb.STAGE_PAPER
    run = (await ann.evaluation.Evaluate(request)).run
    assert run.report.summary == evaluationpb.EVALUATION_SUMMARY_FAIL
    (line,) = [line for line in run.report.verdicts if line.rule == "evidence: replay"]
    assert line.reason == decisionpb.DECISION_REASON_EVIDENCE_CLAIMED
    assert "paper_books" in line.explanation
    assert (await decided(ann)).effective_mode == COMPUTE_ONLY


async def test_a_claims_world_never_goes_live_and_a_stricter_policy_takes_its_numbers_away(
    harness: WorldHarness,
) -> None:
    ann = await bound(harness, DOCUMENT + "evidence: claims\n")
    await ann.evaluation.Evaluate(evaluation(harness, "w1", "s"))
    assert (await decided(ann)).effective_mode == PAPER
    put = policyservicepb.PutPolicyRequest(world_id="w1", document=DOCUMENT, make_default=True)
    await ann.policies.PutPolicy(put)
    assert (await decided(ann)).effective_mode == COMPUTE_ONLY


async def test_the_account_is_the_worlds_and_another_asks_for_another_replay(harness: WorldHarness) -> None:
    margin = DOCUMENT + "account: {type: margin, leverage: 3, starting_cash: 5000}\n"
    ann = await bound(harness, margin + "gating_policy: {execution_model: {taker_fee_bps: 20, participation: 0.05}}\n")
    await replayed(harness, ann, "s")
    model = harness.replays.asked[-1].account_model
    assert (model.type, model.leverage, model.starting_cash) == (2, 3, "5000")
    assert (model.taker_fee_rate_min, model.participation_max, model.fee_rate) == ("0.002", "0.05", "")
    assert model == (await decided(ann)).account_model
    run = await run_of(ann)  # its costs are what the replay says, here less than is asked
    assert run.report.verdicts[-2].reason == decisionpb.DECISION_REASON_EXECUTION_MODEL_LENIENT
    put = policyservicepb.PutPolicyRequest(world_id="w1", document=margin, make_default=True)
    await ann.policies.PutPolicy(put)
    (report,) = (await ann.evaluation.ListReports(evaluationservicepb.ListReportsRequest(world_id="w1"))).reports
    assert report.verdicts[-2].reason == decisionpb.DECISION_REASON_EVIDENCE_OF_OTHER_ACCOUNT
    again = await replayed(harness, ann, "s")
    assert (again.run_revision, again.report.summary) == (2, evaluationpb.EVALUATION_SUMMARY_PASS)


async def test_the_same_again_is_the_same_without_another_replay(harness: WorldHarness) -> None:
    ann = await bound(harness)
    first = await replayed(harness, ann, "s")
    assert await replayed(harness, ann, "s") == first
    assert len(harness.replays.asked) == 1
    other = await replayed(harness, ann, "s", sharpe=9.0)  # other claims are another revision
    assert other.run_revision == 2
    assert other.metrics == first.metrics


async def test_brokerage_away_leaves_it_pending_until_it_is_back(harness: WorldHarness) -> None:
    ann = await bound(harness)
    harness.replays.error = Unavailable("E_DATABASE_UNAVAILABLE", "the store is away")
    run = await replayed(harness, ann, "s")
    assert (run.evidence_state, run.evidence_reason) == (PENDING, "E_DATABASE_UNAVAILABLE")
    assert not run.metrics
    assert not run.HasField("report")
    assert (await decided(ann)).effective_mode == COMPUTE_ONLY
    harness.replays.error = None
    done = await settled(harness, ann)
    assert (done.evidence_state, done.created_by) == (REPLAYED, "ann")
    assert done.report.summary == evaluationpb.EVALUATION_SUMMARY_PASS


async def test_a_restart_during_a_replay_goes_on(harness: WorldHarness) -> None:
    ann = await bound(harness)
    harness.replays.answering.clear()
    asking = asyncio.create_task(replayed(harness, ann, "s"))

    async def asked() -> bool:
        return len(harness.replays.asked) == 1

    await eventually(asked)
    await harness.stop()
    with pytest.raises(Unavailable):
        await asking
    harness.replays.answering.set()
    await harness.start()
    ann = await harness.stub()
    assert (await run_of(ann)).evidence_state == PENDING
    harness.clock.advance(200.0)  # the lease of the one that is gone
    assert (await settled(harness, ann)).evidence_state == REPLAYED
    assert len(harness.replays.asked) == 2


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (NotFound("E_ARTIFACT_UNKNOWN", "no such artifact"), REFUSED),
        (InvalidRequest("E_ORDER_LIST_MALFORMED", "no such parent"), REFUSED),
        (Exhausted("E_TOO_MANY", "later"), PENDING),
    ],
)
async def test_what_brokerage_refuses_is_named_and_counts_for_nothing(
    harness: WorldHarness, error: InvalidRequest | NotFound | Exhausted, state: int
) -> None:
    ann = await bound(harness)
    harness.replays.error = error
    run = await replayed(harness, ann, "s")
    assert (run.evidence_state, run.evidence_reason) == (state, error.reason)
    assert (await decided(ann)).effective_mode == COMPUTE_ONLY


async def test_a_replay_that_is_cut_is_asked_again(harness: WorldHarness) -> None:
    ann = await bound(harness)
    harness.replays.cut = True
    run = await replayed(harness, ann, "s")
    assert (run.evidence_state, run.evidence_reason) == (PENDING, "E_REPLAY_CUT")
    harness.replays.cut = False
    assert (await settled(harness, ann)).evidence_state == REPLAYED


async def test_an_answer_that_cannot_be_read_ends_refused_with_what_it_says(harness: WorldHarness) -> None:
    ann = await bound(harness)
    denials = replaypb.ReplayedDenials(denials=[replaypb.ReplayedDenial(client_order_id="o", denial=9_999)])  # type: ignore[arg-type]  # of a later version
    harness.replays.said = [replayservicepb.ReplayOrdersResponse(denials=denials)]
    run = await replayed(harness, ann, "s")
    assert (run.evidence_state, run.evidence_reason) == (REFUSED, "E_REPLAY_UNREADABLE")
    assert "denials.denial is 9999" in run.evidence_message
    assert (await decided(ann)).effective_mode == COMPUTE_ONLY


def equity(**columns: pa.Array) -> replayservicepb.ReplayOrdersResponse:
    table, sink = pa.table(columns), pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return replayservicepb.ReplayOrdersResponse(equity_arrow=bytes(sink.getvalue().to_pybytes()))


TIMES, MONEY = pa.array([0], pa.timestamp("ns", "UTC")), pa.array([Decimal(1)], pa.decimal128(38, 2))


@pytest.mark.parametrize(
    ("part", "field"),
    [
        (replayservicepb.ReplayOrdersResponse(), "part"),
        (replayservicepb.ReplayOrdersResponse.FromString(b"\xfa\x01\x00"), "part"),  # field 31
        (replayservicepb.ReplayOrdersResponse(fills={"fills": [{"side": 77}]}), "fills.side"),
        (replayservicepb.ReplayOrdersResponse(fills={"fills": [{}]}), "fills.side"),
        (replayservicepb.ReplayOrdersResponse(equity_arrow=b"no stream"), "equity_arrow"),
        (equity(close_time=TIMES, worth=MONEY), "equity_arrow"),
        (equity(close_time=pa.array([0], pa.timestamp("us", "UTC")), equity=MONEY), "equity_arrow"),
        (equity(close_time=TIMES, equity=pa.array([1.0])), "equity_arrow.equity"),
        (
            replayservicepb.ReplayOrdersResponse(summary=replaypb.ReplaySummary(margin_call_count=1)),
            "summary.margin_calls",
        ),
    ],
)
def test_what_there_are_no_words_for_is_read_as_nothing_else(
    part: replayservicepb.ReplayOrdersResponse, field: str
) -> None:
    with pytest.raises(NotReady, match=f"E_REPLAY_UNREADABLE: .* {field} is "):
        Replayed().take(part)


async def test_data_of_another_world_is_no_evidence_here(harness: WorldHarness) -> None:
    ann = await bound(harness, presets=("demo.btc.15m",))
    harness.replays.preset = "demo.flattering"
    run = await replayed(harness, ann, "s")
    assert (run.evidence_state, run.evidence_reason) == (REFUSED, "E_PRESET_NOT_OF_WORLD")


async def test_a_run_names_the_worlds_presets_that_its_data_is_of(harness: WorldHarness) -> None:
    ann = await bound(harness, presets=("live", "pair"))
    harness.replays.preset = "one"
    assert (await replayed(harness, ann, "s")).data_presets == ["pair"]


async def test_without_presets_any_data_counts_on_paper_and_none_does_live(harness: WorldHarness) -> None:
    ann = await bound(harness)
    harness.replays.preset = "file.ohlcv.flattering"
    assert (await replayed(harness, ann, "s")).data_presets == ["file.ohlcv.flattering"]
    decision = await decided(ann)
    assert decision.effective_mode == PAPER
    assert decisionpb.DECISION_REASON_DATA_PRESETS_MISSING in decision.reasons


async def test_what_was_refused_stays_until_another_run_replaces_it(harness: WorldHarness) -> None:
    ann = await bound(harness)
    harness.replays.error = NotFound("E_ARTIFACT_UNKNOWN", "no such artifact")
    await replayed(harness, ann, "s")
    harness.replays.error = None
    assert (await replayed(harness, ann, "s", "run-2")).evidence_state == REPLAYED
    with pytest.raises(NotFound, match="E_RUN_UNKNOWN"):
        await run_of(ann, "run-1")


async def test_a_strategy_that_leaves_takes_its_lists_and_what_waits_for_them_along(harness: WorldHarness) -> None:
    ann = await bound(harness)
    harness.replays.error = Unavailable("E_DATABASE_UNAVAILABLE", "the store is away")
    waiting = await replayed(harness, ann, "s")
    await ann.bindings.UnbindStrategy(bindingservicepb.UnbindStrategyRequest(world_id="w1", strategy_id="s"))
    with pytest.raises(NotFound, match="E_RUN_UNKNOWN"):
        await run_of(ann)
    again = evaluation(harness, "w1", "s")
    again.order_list = waiting.order_list
    await ann.bindings.BindStrategy(bindingservicepb.BindStrategyRequest(world_id="w1", strategy_id="s"))
    with pytest.raises(NotFound, match="E_ORDER_LIST_UNKNOWN"):
        await ann.evaluation.Evaluate(again)


async def test_what_paper_reports_leaves_the_list_that_waits(harness: WorldHarness) -> None:
    ann = await bound(harness)
    harness.replays.error = Unavailable("E_DATABASE_UNAVAILABLE", "the store is away")
    await replayed(harness, ann, "s")
    paper = evaluation(harness, "w1", "s", "paper-1")
    paper.stage = bindingpb.STAGE_PAPER
    await ann.evaluation.Evaluate(paper)
    assert (await run_of(ann)).evidence_state == PENDING
    harness.replays.error = None
    assert (await settled(harness, ann)).evidence_state == REPLAYED


async def test_history_is_what_the_numbers_are_of(harness: WorldHarness) -> None:
    ann = await bound(harness, DOCUMENT.replace("60d", "91d"))
    harness.replays.days_before = 300  # bars before equity_after, which no number is of
    run = await replayed(harness, ann, "s")
    assert run.data_end.ToDatetime() - run.data_start.ToDatetime() == timedelta(days=90)
    assert decisionpb.DECISION_REASON_INSUFFICIENT_HISTORY in {line.reason for line in run.report.verdicts}


async def test_a_claim_makes_no_old_data_new(harness: WorldHarness) -> None:
    ann = await bound(harness)
    await ann.bindings.BindStrategy(bindingservicepb.BindStrategyRequest(world_id="w1", strategy_id="other"))
    await replayed(harness, ann, "s")
    harness.clock.advance(600.0)
    await ann.evaluation.Evaluate(evaluation(harness, "w1", "other"))
    decision = await decided(ann)
    assert decision.effective_mode == COMPUTE_ONLY
    assert decisionpb.DECISION_REASON_DATA_STALE in decision.reasons


async def test_lists_are_judged_when_they_come(harness: WorldHarness) -> None:
    ann = await bound(harness)
    request = evaluation(harness, "w1", "s")
    request.order_list = "blake3:none"
    with pytest.raises(NotFound, match="E_ORDER_LIST_UNKNOWN"):
        await ann.evaluation.Evaluate(request)
    listed = await ann.evaluation.PutOrderList(list_chunks(order_list("w1", "s")))
    request.order_list, request.stage = listed.order_list, bindingpb.STAGE_PAPER
    with pytest.raises(InvalidRequest, match="E_FIELD: order_list"):
        await ann.evaluation.Evaluate(request)
    none = order_list("w1", "s")
    none.ClearField("dataset_fingerprints")
    with pytest.raises(InvalidRequest, match="E_FIELD: dataset_fingerprints"):
        await ann.evaluation.PutOrderList(list_chunks(none))
    late, now = order_list("w1", "s"), stamp(harness.clock.now())
    late.orders.add(decided_at=now)
    late.equity_after.CopyFrom(now)
    with pytest.raises(InvalidRequest, match="E_FIELD: equity_after"):
        await ann.evaluation.PutOrderList(list_chunks(late))
    with pytest.raises(NotFound, match="E_BINDING_UNKNOWN"):
        await ann.evaluation.PutOrderList(list_chunks(order_list("w1", "other")))
    many = order_list("w1", "s")
    many.cancels.extend([replaypb.ReplayedCancel()] * 50_001)
    with pytest.raises(InvalidRequest, match="E_TOO_LARGE: cancels"):
        await ann.evaluation.PutOrderList(list_chunks(many))


async def verified(ann: WorldStubs, run_id: str = "run-1") -> evaluationservicepb.VerifyEvaluationRunResponse:
    request = evaluationservicepb.VerifyEvaluationRunRequest(world_id="w1", strategy_id="s", run_id=run_id)
    return await ann.evaluation.VerifyEvaluationRun(request)


async def test_a_run_is_computed_anew_and_confirmed_or_told_apart(harness: WorldHarness) -> None:
    ann = await bound(harness)
    run = await replayed(harness, ann, "s", sharpe=1e6)
    found = await verified(ann)
    assert (found.run, list(found.metrics), list(found.differences)) == (run, list(run.metrics), [])
    assert found.terms == found.terms_now == "starting cash 100000"
    assert harness.replays.asked[0] == harness.replays.asked[1]
    lost = replaypb.ReplayedTrade(closed_at=stamp(harness.clock.now() - timedelta(days=2)), profit="-7")
    harness.replays.said = [replayservicepb.ReplayOrdersResponse(trades=replaypb.ReplayedTrades(trades=[lost]))]
    other = await verified(ann)  # the same list comes to one trade more
    assert "n_trades is stored as 1.0, computed anew as 2.0" in other.differences
    assert "win_rate is stored as 1.0, computed anew as 0.5" in other.differences
    assert not [line for line in other.differences if line.startswith(("data_", "account", "sharpe"))]
    assert (await run_of(ann)) == run  # nothing was recorded


async def test_other_terms_since_are_said(harness: WorldHarness) -> None:
    ann = await bound(harness)
    await replayed(harness, ann, "s")
    richer = DOCUMENT + "account: {type: margin, leverage: 3, starting_cash: 5000}\n"
    await ann.policies.PutPolicy(policyservicepb.PutPolicyRequest(world_id="w1", document=richer, make_default=True))
    found = await verified(ann)
    assert found.terms == "starting cash 100000"
    assert found.terms_now == "kind margin, leverage 3, starting cash 5000"
    assert any(line.startswith("account is stored as ") for line in found.differences)


async def test_claims_and_what_waits_cannot_be_verified(harness: WorldHarness) -> None:
    ann = await bound(harness)
    await ann.evaluation.Evaluate(evaluation(harness, "w1", "s", "claimed"))
    with pytest.raises(InvalidRequest, match="E_FIELD: run_id is claimed, whose numbers are claims"):
        await verified(ann, "claimed")
    harness.replays.error = Unavailable("E_UNAVAILABLE", "away")
    await replayed(harness, ann, "s", "waiting")
    with pytest.raises(InvalidRequest, match="E_FIELD: run_id is waiting, which waits for its evidence"):
        await verified(ann, "waiting")
    with pytest.raises(NotFound, match="E_RUN_UNKNOWN"):
        await verified(ann, "none")
