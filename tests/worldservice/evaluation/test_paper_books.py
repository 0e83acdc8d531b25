"""Paper runs whose numbers come from brokerage's books: claims stand beside, and what is not the world's is refused."""

from __future__ import annotations

import pytest

from qmtl.core.errors import InvalidRequest, NotFound
from qmtl.world.v1 import binding_pb2 as bindingpb
from qmtl.world.v1 import binding_service_pb2 as bindingservicepb
from qmtl.world.v1 import decision_pb2 as decisionpb
from qmtl.world.v1 import evaluation_pb2 as evaluationpb
from qmtl.world.v1 import evaluation_service_pb2 as evaluationservicepb
from qmtl.world.v1 import policy_service_pb2 as policyservicepb
from tests.support.world_stubs import WorldStubs
from tests.worldservice.harness import WorldHarness, evaluation, make_trading, make_world
from tests.worldservice.samples import DOCUMENT
from worldservice.worlds.store.sessions import open_sessions

PROFILE = 'validation_profiles: {paper: {gates: "sharpe >= 0.5"}}\n'


def reported(harness: WorldHarness, session: str, run_id: str = "paper-1") -> evaluationservicepb.EvaluateRequest:
    """What a runner says of its paper session, numbers too good to be true among it."""
    request = evaluation(harness, "w1", "s", run_id, sharpe=1e6)
    request.stage = bindingpb.STAGE_PAPER
    request.paper_books.CopyFrom(evaluationpb.PaperBooks(account="acc", session_id=session))
    return request


async def on_paper(harness: WorldHarness) -> tuple[WorldStubs, str]:
    """A world with a paper profile whose strategy trades on paper, and the session it does so in."""
    ann = await make_trading(harness, "w1", "s", by_replay=True)
    put = policyservicepb.PutPolicyRequest(world_id="w1", document=DOCUMENT + PROFILE, make_default=True)
    await ann.policies.PutPolicy(put)
    found: list[str] = []
    await harness.fill(lambda conn: found.extend(one.session_id for one in open_sessions(conn, "w1")))
    return ann, found[0]


async def test_numbers_of_paper_are_computed_from_the_books(harness: WorldHarness) -> None:
    ann, session = await on_paper(harness)
    backtest = harness.replays.asked[-1]
    run = (await ann.evaluation.Evaluate(reported(harness, session))).run
    assert run.evidence_state == evaluationpb.EVIDENCE_STATE_REPLAYED
    numbers = {metric.name: metric for metric in run.metrics}
    assert {one.source for one in numbers.values()} == {evaluationpb.METRIC_SOURCE_BOOKS}
    assert {one.source_id for one in numbers.values()} == {"acc"}
    assert numbers["sharpe"].value < 100.0
    assert f"sharpe is claimed to be 1000000.0, the books say {numbers['sharpe'].value!r}" in run.warnings
    assert (run.paper_books.account, list(run.data_presets)) == ("acc", ["live"])
    lines = {line.rule: line for line in run.report.verdicts}
    assert lines["paper: evidence: replay"].outcome == evaluationpb.OUTCOME_PASS
    assert lines["paper: sharpe >= 0.5"].outcome == evaluationpb.OUTCOME_PASS
    asked = harness.replays.books[-1]
    assert (asked.account, asked.data_session_id, asked.strategy_id) == ("acc", session, "s")
    assert asked.account_model == backtest.account_model or asked.account_model.base_currency == ""
    assert len(harness.replays.asked) == 1
    again = (await ann.evaluation.Evaluate(reported(harness, session))).run
    assert (again.run_revision, len(harness.replays.books)) == (1, 2)  # books may have grown, these have not


async def test_a_claim_about_paper_bars_from_live_beside_a_profile(harness: WorldHarness) -> None:
    ann, session = await on_paper(harness)
    await ann.evaluation.Evaluate(reported(harness, session))
    bare = reported(harness, session, "paper-2")
    bare.ClearField("paper_books")
    await ann.evaluation.Evaluate(bare)
    decision = (await ann.evaluation.Decide(evaluationservicepb.DecideRequest(world_id="w1"))).decision
    (report,) = (await ann.evaluation.ListReports(evaluationservicepb.ListReportsRequest(world_id="w1"))).reports
    lines = {line.rule: line for line in report.verdicts}
    assert lines["paper: evidence: replay"].reason == decisionpb.DECISION_REASON_EVIDENCE_CLAIMED
    assert "paper: sharpe >= 0.5" not in lines
    assert decision.effective_mode != 0


async def test_paper_waits_beside_the_backtest_and_not_in_its_place(harness: WorldHarness) -> None:
    ann, session = await on_paper(harness)
    harness.replays.error = InvalidRequest("E_ACCOUNT_OTHER_TERMS", "another account")
    run = (await ann.evaluation.Evaluate(reported(harness, session))).run
    assert (run.evidence_state, run.evidence_reason) == (
        evaluationpb.EVIDENCE_STATE_REFUSED,
        "E_ACCOUNT_OTHER_TERMS",
    )
    get = evaluationservicepb.GetEvaluationRunRequest(world_id="w1", strategy_id="s", run_id="run-1")
    assert (await ann.evaluation.GetEvaluationRun(get)).run.evidence_state == evaluationpb.EVIDENCE_STATE_REPLAYED


async def test_only_a_paper_session_of_the_world_counts(harness: WorldHarness) -> None:
    ann, session = await on_paper(harness)
    other = await make_world(harness, "w2", document=DOCUMENT)
    await other.bindings.BindStrategy(bindingservicepb.BindStrategyRequest(world_id="w2", strategy_id="s"))
    for world, name in (("w1", "none"), ("w2", session)):
        request = reported(harness, name)
        request.world_id = world
        with pytest.raises(NotFound, match="E_SESSION_UNKNOWN"):
            await ann.evaluation.Evaluate(request)
    wrong = reported(harness, session)
    wrong.stage = bindingpb.STAGE_BACKTEST
    with pytest.raises(InvalidRequest, match="E_FIELD: paper_books"):
        await ann.evaluation.Evaluate(wrong)
