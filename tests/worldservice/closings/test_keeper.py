"""The closing keeper of a running worldservice: brokerage is asked, its word is told, its absence stops nobody."""

from __future__ import annotations

from datetime import timedelta

from qmtl.broker.v1 import position_closing_service_pb2 as positionclosingservicepb
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from qmtl.world.v1 import audit_service_pb2 as auditservicepb
from qmtl.world.v1 import binding_service_pb2 as bindingservicepb
from qmtl.world.v1 import policy_service_pb2 as policyservicepb
from tests.support.world_stubs import WorldStubs
from tests.worldservice.harness import LONG, WorldHarness, evaluation, eventually, make_world, raising
from tests.worldservice.samples import CLAIMS

FLAT = 'position_policy: {on_demote: flat, flat_within: 10m, flat_slippage_bps: "12.5"}\n'
HOLDS = positionclosingservicepb.PositionLeft(
    account="acc", symbol="AAPL", quantity="10", attempts=1, reason="WORKING: d-1 is ACCEPTED"
)


async def demoted_world(harness: WorldHarness, world_id: str = "w1") -> WorldStubs:
    """A strategy that traded on paper and is not selected any more."""
    ann = await make_world(harness, world_id, document=CLAIMS + FLAT)
    await ann.bindings.BindStrategy(bindingservicepb.BindStrategyRequest(world_id=world_id, strategy_id="s"))
    await ann.evaluation.Evaluate(evaluation(harness, world_id, "s"))
    await ann.activation.SetActivation(raising(world_id, "s"))
    await ann.evaluation.Evaluate(evaluation(harness, world_id, "s", "run-2", sharpe=0.1))
    return ann


async def closing(ann: WorldStubs, world_id: str = "w1") -> activationpb.PositionClosing | None:
    request = activationservicepb.GetActivationRequest(world_id=world_id)
    return next(iter((await ann.activation.GetActivation(request)).closings), None)


async def until(
    harness: WorldHarness, ann: WorldStubs, state: activationpb.ClosingState, detail: str = "", world_id: str = "w1"
) -> None:
    """Let the keeper's clock run until the closing stands so."""

    async def stands() -> bool:
        harness.clock.advance(2.5)
        found = await closing(ann, world_id)
        return found is not None and found.state == state and detail in found.detail

    await eventually(stands)


async def test_what_a_demoted_strategy_holds_is_closed_and_told(harness: WorldHarness) -> None:
    harness.closings.reply.left.append(HOLDS)
    ann = await demoted_world(harness)
    await until(harness, ann, activationpb.CLOSING_STATE_CLOSING, "acc holds 10 AAPL after 1 orders: WORKING")
    asked = harness.closings.asked[-1]
    assert (asked.world_id, asked.strategy_id, asked.side, asked.slippage_bps) == ("w1", "s", LONG, "12.5")
    assert asked.execution_domain == commonpb.EXECUTION_DOMAIN_DRYRUN
    await harness.stop()  # a restart goes on with the same closing
    await harness.start()
    ann = await harness.stub()
    await harness.stop_brokerage()
    await until(harness, ann, activationpb.CLOSING_STATE_CLOSING, "brokerage did not take the last step")
    harness.closings.reply.ClearField("left")
    await harness.start_brokerage()
    await until(harness, ann, activationpb.CLOSING_STATE_FLAT)
    assert {one.closing_id for one in harness.closings.asked} == {asked.closing_id}
    told = await ann.audit.ListAudit(auditservicepb.ListAuditRequest(world_id="w1"))
    details = [one.message for one in told.entries if one.event == "ClosePositions"]
    assert [detail.split(" what ")[0] for detail in details] == ["closed", "closes"]
    count = len(harness.closings.asked)
    harness.clock.advance(30)
    assert len(harness.closings.asked) == count  # nobody is asked about what is flat


async def test_a_fill_that_comes_after_it_was_flat_is_closed_again(harness: WorldHarness) -> None:
    ann = await demoted_world(harness)
    await until(harness, ann, activationpb.CLOSING_STATE_FLAT)
    first = await closing(ann)
    harness.closings.reply.left.append(HOLDS)
    await until(harness, ann, activationpb.CLOSING_STATE_CLOSING, "acc holds 10 AAPL after 1 orders")
    again = await closing(ann)
    assert first is not None
    assert again is not None
    assert again.begin_time == first.begin_time
    assert again.until.ToDatetime() >= first.until.ToDatetime() + timedelta(seconds=60)  # it has its whole time again
    assert not again.HasField("end_time")
    harness.closings.reply.ClearField("left")
    await until(harness, ann, activationpb.CLOSING_STATE_FLAT)
    assert len({one.closing_id for one in harness.closings.asked}) == 1
    told = await ann.audit.ListAudit(auditservicepb.ListAuditRequest(world_id="w1"))
    details = [one.message for one in told.entries if one.event == "ClosePositions"]
    assert [detail.split(" what ")[0] for detail in details] == ["closed", "closes again", "closed", "closes"]


async def test_what_is_flat_is_left_alone_once_the_policy_closes_no_more(harness: WorldHarness) -> None:
    ann = await demoted_world(harness)
    await until(harness, ann, activationpb.CLOSING_STATE_FLAT)
    draining = "position_policy: {on_demote: drain}\n"
    asks = policyservicepb.PutPolicyRequest(world_id="w1", document=CLAIMS + draining, make_default=True)
    await ann.policies.PutPolicy(asks)
    asked = [one.world_id for one in harness.closings.asked].count("w1")
    await demoted_world(harness, "w2")
    await until(harness, ann, activationpb.CLOSING_STATE_FLAT, world_id="w2")
    harness.closings.reply.left.append(HOLDS)
    await until(harness, ann, activationpb.CLOSING_STATE_CLOSING, "acc holds 10 AAPL", "w2")  # asked after w1
    assert [one.world_id for one in harness.closings.asked].count("w1") == asked
    found = await closing(ann)
    assert found is not None
    assert found.state == activationpb.CLOSING_STATE_FLAT


async def test_what_is_not_closed_in_time_is_reported_and_not_tried_for_ever(harness: WorldHarness) -> None:
    harness.closings.reply.left.append(HOLDS)
    ann = await demoted_world(harness)
    await until(harness, ann, activationpb.CLOSING_STATE_CLOSING, "acc holds 10 AAPL")
    harness.clock.advance(600)
    await until(harness, ann, activationpb.CLOSING_STATE_NOT_CLOSED, "acc holds 10 AAPL")
    change = activationpb.ActivationChange(strategy_id="s", side=LONG, active=False)
    await ann.activation.SetActivation(activationservicepb.SetActivationRequest(world_id="w1", changes=[change]))
    found = await closing(ann)
    assert found is not None
    assert found.state == activationpb.CLOSING_STATE_NOT_CLOSED
