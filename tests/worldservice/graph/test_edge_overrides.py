"""Edges over the wire: what is off is left at once, an apply opens, and brokerage holds the policy's limits."""

from __future__ import annotations

import asyncio

import pytest

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.common.v1 import limits_pb2 as limitspb
from qmtl.core.errors import InvalidRequest, NotReady
from qmtl.core.roles import Role
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from qmtl.world.v1 import apply_pb2 as applypb
from qmtl.world.v1 import apply_service_pb2 as applyservicepb
from qmtl.world.v1 import binding_pb2 as bindingpb
from qmtl.world.v1 import binding_service_pb2 as bindingservicepb
from qmtl.world.v1 import decision_pb2 as decisionpb
from qmtl.world.v1 import evaluation_pb2 as evaluationpb
from qmtl.world.v1 import evaluation_service_pb2 as evaluationservicepb
from qmtl.world.v1 import gate_service_pb2 as gateservicepb
from qmtl.world.v1 import policy_service_pb2 as policyservicepb
from qmtl.world.v1 import world_graph_pb2 as worldgraphpb
from qmtl.world.v1 import world_graph_service_pb2 as worldgraphservicepb
from qmtl.world.v1 import world_service_pb2 as worldservicepb
from tests.support.world_stubs import WorldStubs
from tests.worldservice.harness import (
    COMPUTE_ONLY,
    LONG,
    PAPER,
    WorldHarness,
    evaluation,
    eventually,
    make_trading,
    make_world,
    raising,
)
from tests.worldservice.samples import CLAIMS

A, B, C = (f"blake3:{letter * 64}" for letter in "abc")
BACKTEST, DRYRUN, LIVE = (
    commonpb.EXECUTION_DOMAIN_BACKTEST,
    commonpb.EXECUTION_DOMAIN_DRYRUN,
    commonpb.EXECUTION_DOMAIN_LIVE,
)
OFF, ON, AWAITS = (
    worldgraphpb.EDGE_STANDING_OFF,
    worldgraphpb.EDGE_STANDING_ON,
    worldgraphpb.EDGE_STANDING_AWAITS_PROMOTION,
)
COMPLETED, ROLLED_BACK = applypb.APPLY_STATE_COMPLETED, applypb.APPLY_STATE_ROLLED_BACK
SHUT = "gating_policy: {edges: {pre_promotion: {disable_edges_to: dryrun}}}\n"


def edge(
    into: commonpb.ExecutionDomain = DRYRUN, *, active: bool = False, begins: commonpb.ExecutionDomain | None = None
) -> worldgraphservicepb.PutEdgeOverrideRequest:
    made = worldgraphpb.EdgeOverride(
        world_id="w1", from_node_id=A, to_node_id=B, active=active, to_domain=into, from_domain=begins, message="why"
    )
    return worldgraphservicepb.PutEdgeOverrideRequest(override=made)


def gone(into: commonpb.ExecutionDomain = DRYRUN) -> worldgraphservicepb.DeleteEdgeOverrideRequest:
    return worldgraphservicepb.DeleteEdgeOverrideRequest(world_id="w1", from_node_id=A, to_node_id=B, to_domain=into)


async def tell(ann: WorldStubs, name: str, *nodes: str) -> None:
    await ann.bindings.BindStrategy(
        bindingservicepb.BindStrategyRequest(world_id="w1", strategy_id=name, node_ids=nodes)
    )


async def modes(ann: WorldStubs) -> dict[str, commonpb.EffectiveMode]:
    entries = (
        await ann.activation.GetActivation(activationservicepb.GetActivationRequest(world_id="w1"))
    ).activation.entries
    return {entry.strategy_id: entry.effective_mode for entry in entries}


async def reports(ann: WorldStubs) -> dict[str, evaluationpb.EvaluationReport]:
    """By strategy, read one to a page."""
    asked = evaluationservicepb.ListReportsRequest(world_id="w1", page=commonpb.PageRequest(page_size=1))
    found: dict[str, evaluationpb.EvaluationReport] = {}
    while True:
        reply = await ann.evaluation.ListReports(asked)
        assert len(reply.reports) <= 1
        found.update((report.strategy_id, report) for report in reply.reports)
        asked.page.page_token = reply.page.next_page_token
        if not asked.page.page_token:
            return found


async def apply(harness: WorldHarness, run_id: str, *names: str) -> applypb.ApplyRun:
    """To its end, without gateways."""
    ann = await harness.stub()
    targets = [
        applypb.ApplyTarget(strategy_id=name, side=LONG, weight="1.0", stage=bindingpb.STAGE_PAPER) for name in names
    ]
    plan = applypb.ApplyTargets(targets=targets)
    asked = applyservicepb.ApplyRequest(
        world_id="w1", run_id=run_id, targets=plan, unfreeze_ack=applypb.UNFREEZE_ACK_NONE
    )
    await ann.applies.Apply(asked)
    return await over(harness, run_id)


async def over(harness: WorldHarness, run_id: str) -> applypb.ApplyRun:
    """The run once it has ended."""
    ann, get = await harness.stub(), applyservicepb.GetApplyRunRequest(world_id="w1", run_id=run_id)

    async def ended() -> bool:
        harness.clock.advance(0.2)
        return (await ann.applies.GetApplyRun(get)).run.HasField("ended_at")

    await eventually(ended)
    return (await ann.applies.GetApplyRun(get)).run


async def test_an_edge_switched_off_is_left_before_it_is_answered_and_comes_back_by_an_operator(
    harness: WorldHarness,
) -> None:
    ann = await make_trading(harness, "w1", "s", "t")
    await tell(ann, "s", A, B)
    await tell(ann, "t", A, C)
    epoch, _ = harness.brokerage.state("w1")
    reply = await ann.world_graph.PutEdgeOverride(edge())
    assert (reply.override.standing, reply.fence_pending) == (OFF, False)
    assert await modes(ann) == {"s": COMPUTE_ONLY, "t": PAPER}
    assert harness.brokerage.state("w1")[0] == epoch + 1
    line = (await reports(ann))["s"].verdicts[1]
    assert (line.stage, line.reason) == (evaluationpb.PIPELINE_STAGE_EDGES, decisionpb.DECISION_REASON_EDGE_OFF)
    assert "why" in line.explanation
    with pytest.raises(NotReady) as caught:
        await ann.activation.SetActivation(raising("w1", "s"))
    assert caught.value.reason == "E_MODE_CEILING"
    await ann.world_graph.DeleteEdgeOverride(gone())
    assert await modes(ann) == {"s": COMPUTE_ONLY, "t": PAPER}  # nothing rises by itself
    await ann.activation.SetActivation(raising("w1", "s"))
    assert await modes(ann) == {"s": PAPER, "t": PAPER}


async def test_off_in_live_leaves_paper_alone(harness: WorldHarness) -> None:
    ann = await make_trading(harness, "w1", "s")
    await tell(ann, "s", A, B)
    await ann.world_graph.PutEdgeOverride(edge(LIVE))
    assert await modes(ann) == {"s": PAPER}
    await ann.world_graph.PutEdgeOverride(edge(BACKTEST))
    assert await modes(ann) == {"s": COMPUTE_ONLY}


async def test_a_graph_nobody_told_may_have_the_edge(harness: WorldHarness) -> None:
    ann = await make_trading(harness, "w1", "s")
    await ann.world_graph.PutEdgeOverride(edge())
    assert await modes(ann) == {"s": COMPUTE_ONLY}
    assert (await reports(ann))["s"].verdicts[1].reason == decisionpb.DECISION_REASON_EDGES_UNKNOWN
    await tell(ann, "s", A, C)
    await ann.activation.SetActivation(raising("w1", "s"))
    assert await modes(ann) == {"s": PAPER}
    await tell(ann, "s", A, B, C)  # told anew it has the edge, and leaves at once
    assert await modes(ann) == {"s": COMPUTE_ONLY}


async def test_who_leaves_the_world_takes_its_nodes_along(harness: WorldHarness) -> None:
    ann = await make_trading(harness, "w1", "s")
    await tell(ann, "s", A, C)
    await ann.bindings.UnbindStrategy(bindingservicepb.UnbindStrategyRequest(world_id="w1", strategy_id="s"))
    await ann.bindings.BindStrategy(bindingservicepb.BindStrategyRequest(world_id="w1", strategy_id="s"))
    await ann.world_graph.PutEdgeOverride(edge())
    assert (await reports(ann))["s"].verdicts[1].reason == decisionpb.DECISION_REASON_EDGES_UNKNOWN


async def test_brokerage_away_the_cut_stands_and_says_so(harness: WorldHarness) -> None:
    ann = await make_trading(harness, "w1", "s")
    await tell(ann, "s", A, B)
    harness.brokerage.answering.clear()
    asked = asyncio.ensure_future(ann.world_graph.PutEdgeOverride(edge()))
    await eventually(lambda: _advanced(harness, asked))
    assert (await asked).fence_pending
    assert await modes(ann) == {"s": COMPUTE_ONLY}
    harness.brokerage.answering.set()


async def _advanced(harness: WorldHarness, task: asyncio.Future[worldgraphservicepb.PutEdgeOverrideResponse]) -> bool:
    harness.clock.advance(0.5)
    return task.done()


async def test_what_a_policy_shuts_is_opened_by_an_apply_and_closed_by_the_next(harness: WorldHarness) -> None:
    ann = await make_world(harness, "w1", document=CLAIMS + SHUT)
    for name in ("s", "t"):
        await ann.bindings.BindStrategy(
            bindingservicepb.BindStrategyRequest(world_id="w1", strategy_id=name, node_ids=[A, B])
        )
        run = (await ann.evaluation.Evaluate(evaluation(harness, "w1", name))).run
        assert run.recommended_stage == bindingpb.STAGE_PAPER  # by an apply it may
    with pytest.raises(NotReady) as caught:
        await ann.activation.SetActivation(raising("w1", "s"))
    assert caught.value.reason == "E_MODE_CEILING"
    assert "by an apply only" in caught.value.message
    promotion = await apply(harness, "r1", "s")
    assert promotion.state == COMPLETED
    assert "targets set behind the freeze; edges opened: s DRYRUN" in [step.message for step in promotion.steps]
    assert await opened(ann) == {"s": [DRYRUN], "t": []}
    assert (await modes(ann))["s"] == PAPER
    lowered = activationpb.ActivationChange(strategy_id="s", side=LONG, stage=bindingpb.STAGE_BACKTEST)
    await ann.activation.SetActivation(activationservicepb.SetActivationRequest(world_id="w1", changes=[lowered]))
    await ann.activation.SetActivation(raising("w1", "s"))  # open to it until an apply closes them
    assert (await modes(ann))["s"] == PAPER
    assert (await apply(harness, "r2", "t")).state == COMPLETED
    assert await opened(ann) == {"s": [], "t": [DRYRUN]}
    assert {name: mode for name, mode in (await modes(ann)).items() if mode == PAPER} == {"t": PAPER}
    with pytest.raises(NotReady):
        await ann.activation.SetActivation(raising("w1", "s"))


async def opened(ann: WorldStubs) -> dict[str, list[commonpb.ExecutionDomain]]:
    bindings = (await ann.bindings.ListBindings(bindingservicepb.ListBindingsRequest(world_id="w1"))).bindings
    return {binding.strategy_id: list(binding.opened_domains) for binding in bindings}


async def test_a_switch_that_is_rolled_back_opens_and_closes_nothing(harness: WorldHarness) -> None:
    ann = await make_trading(harness, "w1", "s", "t")
    assert (await apply(harness, "r1", "s")).state == COMPLETED
    assert await opened(ann) == {"s": [DRYRUN], "t": []}
    gateway = await harness.gateway()
    await gateway.gates.OpenGateSession(gateservicepb.OpenGateSessionRequest(gateway_id="g1", boot_id="b1"))
    plan = applypb.ApplyTargets(
        targets=[applypb.ApplyTarget(strategy_id="t", side=LONG, weight="1", stage=bindingpb.STAGE_PAPER)]
    )
    await ann.applies.Apply(applyservicepb.ApplyRequest(world_id="w1", run_id="r2", targets=plan))
    get = applyservicepb.GetApplyRunRequest(world_id="w1", run_id="r2")

    async def reached(state: applypb.ApplyState) -> bool:
        harness.clock.advance(0.2)
        await gateway.gates.RenewGateSession(gateservicepb.RenewGateSessionRequest(gateway_id="g1", boot_id="b1"))
        return (await ann.applies.GetApplyRun(get)).run.state == state

    await eventually(lambda: reached(applypb.APPLY_STATE_FREEZING))
    await ann.evaluation.Evaluate(evaluation(harness, "w1", "t", "run-2", sharpe=0.1))
    ack = gateservicepb.AckActivationRequest(
        world_id="w1", run_id="r2", apply_sequence=1, gateway_id="g1", boot_id="b1"
    )
    await gateway.gates.AckActivation(ack)
    await eventually(lambda: reached(ROLLED_BACK))
    assert await opened(ann) == {"s": [DRYRUN], "t": []}


async def test_an_evaluation_takes_nobody_live_who_does_not_trade_live(harness: WorldHarness) -> None:
    """Its binding stays at the stage an apply once gave it."""
    ann = await make_trading(harness, "w1", "s", "t", by_replay=True)
    await ann.worlds.UpdateWorld(
        worldservicepb.UpdateWorldRequest(world_id="w1", allow_live=True, update_mask={"paths": ["allow_live"]})
    )
    await ann.bindings.ApproveLive(
        bindingservicepb.ApproveLiveRequest(world_id="w1", strategy_id="s", message="a test")
    )
    live = applypb.ApplyTarget(strategy_id="s", side=LONG, weight="1.0", stage=bindingpb.STAGE_LIVE)
    for run_id, targets in (("r1", [live]), ("r2", [])):
        plan = applypb.ApplyTargets(
            targets=targets
            or [applypb.ApplyTarget(strategy_id="t", side=LONG, weight="1.0", stage=bindingpb.STAGE_PAPER)]
        )
        await ann.applies.Apply(
            applyservicepb.ApplyRequest(
                world_id="w1", run_id=run_id, targets=plan, unfreeze_ack=applypb.UNFREEZE_ACK_NONE
            )
        )
        await over(harness, run_id)
    again = applyservicepb.ApplyRequest(
        world_id="w1", run_id="r3", evaluate=True, unfreeze_ack=applypb.UNFREEZE_ACK_NONE
    )
    aimed_at = {(target.strategy_id, target.stage) for target in (await ann.applies.Apply(again)).run.targets}
    assert aimed_at == {("s", bindingpb.STAGE_PAPER), ("t", bindingpb.STAGE_PAPER)}


async def test_a_policy_that_begins_to_ask_lowers_who_was_not_promoted(harness: WorldHarness) -> None:
    ann = await make_trading(harness, "w1", "s", "t")
    assert (await apply(harness, "r1", "s")).state == COMPLETED
    await ann.activation.SetActivation(raising("w1", "t"))
    await ann.policies.PutPolicy(
        policyservicepb.PutPolicyRequest(world_id="w1", document=CLAIMS + SHUT, make_default=True)
    )
    found = await modes(ann)
    assert (found["s"], found["t"]) == (PAPER, COMPUTE_ONLY)


async def test_an_edge_between_domains_waits_for_the_promotion_of_who_has_it(harness: WorldHarness) -> None:
    ann = await make_trading(harness, "w1", "s", "t")
    await tell(ann, "s", A, C)
    await tell(ann, "t", A, B)
    crossing = edge(DRYRUN, active=True, begins=BACKTEST)
    assert (await ann.world_graph.PutEdgeOverride(crossing)).override.standing == AWAITS
    await apply(harness, "r1", "s")
    assert await standing(ann) == [AWAITS]
    await apply(harness, "r2", "t")
    assert await standing(ann) == [ON]
    await apply(harness, "r3", "s")
    assert await standing(ann) == [AWAITS]
    assert await modes(ann) == {"s": PAPER, "t": PAPER}  # it takes nothing from anybody


async def standing(ann: WorldStubs) -> list[worldgraphpb.EdgeStanding]:
    reply = await ann.world_graph.ListEdgeOverrides(worldgraphservicepb.ListEdgeOverridesRequest(world_id="w1"))
    return [override.standing for override in reply.overrides]


@pytest.mark.parametrize("nodes", [["a"], [f"blake3:{n:064x}" for n in range(10_001)]])
async def test_nodes_that_are_none_or_too_many_are_refused(harness: WorldHarness, nodes: list[str]) -> None:
    ann = await make_world(harness, "w1")
    with pytest.raises(InvalidRequest):
        await ann.bindings.BindStrategy(
            bindingservicepb.BindStrategyRequest(world_id="w1", strategy_id="s", node_ids=nodes)
        )
    assert not (await ann.bindings.ListBindings(bindingservicepb.ListBindingsRequest(world_id="w1"))).bindings


async def test_edges_of_the_shadow_and_of_strangers_are_refused(harness: WorldHarness) -> None:
    ann = await make_world(harness, "w1")
    with pytest.raises(InvalidRequest, match="E_EDGE") as caught:
        await ann.world_graph.PutEdgeOverride(edge(commonpb.EXECUTION_DOMAIN_SHADOW))
    assert caught.value.violations[0].field == "override.from_domain"
    rob = await harness.stub(Role.READER, "rob")
    for call in (rob.world_graph.PutEdgeOverride(edge()), rob.world_graph.DeleteEdgeOverride(gone())):
        with pytest.raises(Exception, match="reader"):
            await call


LIMITED = "gating_policy: {risk_limits: {max_order_notional: '2500.50', max_gross_notional: 100000}}\n"
TOLD = limitspb.RiskLimits(order_notional_max="2500.5", gross_notional_max="100000")


async def test_limits_of_the_policy_are_brokerages_before_the_upload_is_answered(harness: WorldHarness) -> None:
    ann = await make_trading(harness, "w1", "s")
    epoch, _ = harness.brokerage.state("w1")
    await ann.policies.PutPolicy(
        policyservicepb.PutPolicyRequest(world_id="w1", document=CLAIMS + LIMITED, make_default=True)
    )
    assert harness.brokerage.fences["w1"].limits == TOLD
    assert harness.brokerage.state("w1")[0] == epoch + 1
    shown = (await ann.activation.GetActivation(activationservicepb.GetActivationRequest(world_id="w1"))).activation
    assert (shown.limits, shown.fence_epoch, shown.fence_pending) == (TOLD, epoch + 1, False)
    await ann.policies.SetDefaultPolicy(policyservicepb.SetDefaultPolicyRequest(world_id="w1", version=1))
    assert not harness.brokerage.fences["w1"].HasField("limits")
    assert harness.brokerage.state("w1")[0] == epoch + 2
    again = await ann.activation.RebuildActivation(
        activationservicepb.RebuildActivationRequest(world_id="w1", world_revision=shown.world_revision)
    )
    assert again.activation.limits == TOLD
    assert (
        await ann.activation.RebuildActivation(activationservicepb.RebuildActivationRequest(world_id="w1"))
    ).same_as_stored


async def test_limits_go_through_a_freeze_and_out_of_it(harness: WorldHarness) -> None:
    ann = await make_trading(harness, "w1", "s", "t")
    await ann.policies.PutPolicy(
        policyservicepb.PutPolicyRequest(world_id="w1", document=CLAIMS + LIMITED, make_default=True)
    )
    assert (await apply(harness, "r1", "t")).state == COMPLETED
    assert all(request.limits == TOLD for request in harness.brokerage.asked[-2:])
    assert harness.brokerage.state("w1")[1] == "OPEN"


async def test_what_a_run_assumed_is_kept_and_what_is_asked_is_told(harness: WorldHarness) -> None:
    asked = "gating_policy: {execution_model: {taker_fee_bps: 5}}\n"
    ann = await make_world(harness, "w1", document=CLAIMS + asked)
    bound = await ann.bindings.BindStrategy(bindingservicepb.BindStrategyRequest(world_id="w1", strategy_id="s"))
    assert bound.decision.execution_model == decisionpb.ExecutionModel(taker_fee_rate="0.0005")
    reply = await ann.evaluation.Evaluate(evaluation(harness, "w1", "s"))
    assert reply.run.report.verdicts[2].reason == decisionpb.DECISION_REASON_EXECUTION_MODEL_UNKNOWN
    request = evaluation(harness, "w1", "s", "run-2")
    request.execution_model.CopyFrom(
        decisionpb.ExecutionModel(
            fill=decisionpb.FILL_MODEL_NEXT_BAR,
            maker_fee_rate="0",
            taker_fee_rate="0.0005",
            slippage_rate="0",
            participation="0.1",
        )
    )
    told = (await ann.evaluation.Evaluate(request)).run
    assert told.execution_model == request.execution_model
    assert told.report.selected
    borrowed = evaluationservicepb.EvaluateRequest(
        world_id="w1", strategy_id="s", run_id="run-3", stage=bindingpb.STAGE_BACKTEST
    )
    assert (await ann.evaluation.Evaluate(borrowed)).run.execution_model == request.execution_model
