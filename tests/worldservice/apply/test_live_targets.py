"""Live targets of an apply: approved by an owner, and only the sides that take risk."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import NotReady, PermissionDenied
from qmtl.core.modes import EffectiveMode
from qmtl.core.roles import Role
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from qmtl.world.v1 import binding_pb2 as bindingpb
from qmtl.world.v1 import binding_service_pb2 as bindingservicepb
from qmtl.world.v1 import world_service_pb2 as worldservicepb
from tests.worldservice.apply.test_service import COMPLETED, plan, reach
from tests.worldservice.harness import LONG, WorldHarness, make_trading
from tests.worldservice.samples import NOW, binding
from worldservice.activation.domain.activation import Entry
from worldservice.apply.domain.targets import evaluated_targets
from worldservice.evaluation.domain.decision import Decision, Verdicts
from worldservice.worlds.domain.binding import Side, Stage


async def test_live_needs_an_owners_approval_and_ends_with_it(harness: WorldHarness) -> None:
    ann = await make_trading(harness, "w1", "s", "t", by_replay=True)
    await ann.worlds.UpdateWorld(
        worldservicepb.UpdateWorldRequest(world_id="w1", allow_live=True, update_mask={"paths": ["allow_live"]})
    )
    live = plan("r1", "t", stage=bindingpb.STAGE_LIVE)
    with pytest.raises(NotReady):
        await ann.applies.Apply(live)
    opal = await harness.stub(Role.OPERATOR, "opal")
    approve = bindingservicepb.ApproveLiveRequest(world_id="w1", strategy_id="t", message="reviewed")
    with pytest.raises(PermissionDenied):
        await opal.bindings.ApproveLive(approve)
    assert (await ann.bindings.ApproveLive(approve)).approval.approved_by == "ann"
    with pytest.raises(NotReady):
        await opal.activation.SetActivation(
            activationservicepb.SetActivationRequest(
                world_id="w1",
                changes=[
                    activationpb.ActivationChange(strategy_id="t", side=LONG, active=True, stage=bindingpb.STAGE_LIVE)
                ],
            )
        )
    await opal.applies.Apply(live)
    await reach(harness, COMPLETED)
    entries = (
        await ann.activation.GetActivation(activationservicepb.GetActivationRequest(world_id="w1"))
    ).activation.entries
    modes = {entry.strategy_id: mode(entry) for entry in entries if entry.active}
    assert modes == {"t": "LIVE"}
    await opal.bindings.RevokeLive(bindingservicepb.RevokeLiveRequest(world_id="w1", strategy_id="t"))
    entries = (
        await ann.activation.GetActivation(activationservicepb.GetActivationRequest(world_id="w1"))
    ).activation.entries
    assert {entry.strategy_id: mode(entry) for entry in entries if entry.active} == {"t": "PAPER"}


def mode(entry: activationpb.ActivationEntry) -> str:
    return commonpb.EffectiveMode.Name(entry.effective_mode).removeprefix("EFFECTIVE_MODE_")


def test_an_evaluation_takes_live_the_sides_that_take_risk_live() -> None:
    """Who drains, is frozen or inactive there has to be brought back by name."""
    changed = datetime(2026, 11, 22, tzinfo=UTC)
    live = Entry("s", Side.LONG, True, 0.5, False, False, None, None, changed, "", EffectiveMode.LIVE)
    short = replace(live, side=Side.SHORT)
    verdicts = Verdicts(decision_of("s", EffectiveMode.LIVE), {}, live=frozenset({"s"}))
    bound = {"s": binding("s", Stage.LIVE)}

    def stages(*entries: Entry) -> dict[Side, Stage]:
        return {target.side: target.stage for target in evaluated_targets(verdicts, bound, entries)}

    assert stages(live, short) == {Side.LONG: Stage.LIVE, Side.SHORT: Stage.LIVE}
    assert stages(live) == {Side.LONG: Stage.LIVE, Side.SHORT: Stage.PAPER}
    for other in (replace(short, drain=True), replace(short, freeze=True), replace(short, active=False)):
        assert stages(live, other) == {Side.LONG: Stage.LIVE, Side.SHORT: Stage.PAPER}


def decision_of(selected: str, mode: EffectiveMode) -> Decision:
    return Decision("w1", 1, mode, (), None, timedelta(seconds=300), "", 1.0, None, NOW, "", (selected,))
