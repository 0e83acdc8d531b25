"""What hysteresis remembers is in the store: a restart makes nobody wait again, and frees nobody early."""

from __future__ import annotations

from qmtl.world.v1 import binding_service_pb2 as bindingservicepb
from qmtl.world.v1 import evaluation_service_pb2 as evaluationservicepb
from tests.worldservice.harness import WorldHarness, evaluation, make_world

POLICY = """\
data_currency: {max_lag: 1d}
selection:
  gates: "sharpe > 0.5"
  score: "sharpe"
  topk: {total: 2}
  hysteresis: {promote_after: 2, demote_after: 1, min_dwell: 3h}
evidence: claims
"""


async def selected_after(harness: WorldHarness, run: str, sharpe: float, later_s: float = 60.0) -> list[str]:
    """Whom the world selects after one more evaluation, before and after a restart, which have to agree."""
    harness.clock.advance(later_s)
    ann = await harness.stub()
    await ann.evaluation.Evaluate(evaluation(harness, "w1", "s", run, sharpe=sharpe))
    before = list((await ann.evaluation.Decide(evaluationservicepb.DecideRequest(world_id="w1"))).decision.selected)
    await harness.stop()
    await harness.start()
    ann = await harness.stub()
    assert (
        list((await ann.evaluation.Decide(evaluationservicepb.DecideRequest(world_id="w1"))).decision.selected)
        == before
    )
    return before


async def test_counts_and_dwell_go_on_across_restarts(harness: WorldHarness) -> None:
    ann = await make_world(harness, "w1", document=POLICY)
    await ann.bindings.BindStrategy(bindingservicepb.BindStrategyRequest(world_id="w1", strategy_id="s"))
    assert await selected_after(harness, "r0", 2.0) == []
    assert await selected_after(harness, "r1", 2.0) == ["s"]
    assert await selected_after(harness, "r2", 0.0) == ["s"]
    assert await selected_after(harness, "r3", 0.0, later_s=2 * 3600.0) == ["s"]
    assert await selected_after(harness, "r4", 0.0, later_s=3600.0) == []
