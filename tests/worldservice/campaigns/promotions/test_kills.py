"""A worldservice that is killed between approval, apply and its end: the promotion goes on, once."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from qmtl.world.v1 import apply_service_pb2 as applyservicepb
from qmtl.world.v1 import audit_service_pb2 as auditservicepb
from qmtl.world.v1 import campaign_pb2 as campaignpb
from qmtl.world.v1 import campaign_service_pb2 as campaignservicepb
from tests.support.processes import python_env
from tests.support.world_stubs import WorldStubs
from tests.worldservice.campaigns.test_service import (
    EASY,
    NAMED,
    _is,
    apply,
    campaign,
    governed,
    request,
    shown_on_paper,
)
from tests.worldservice.harness import WorldHarness, eventually


class Killed:
    """The worldservice of a harness as a process, on the same store and address."""

    def __init__(self, harness: WorldHarness) -> None:
        mesh = harness.mesh
        self.harness = harness
        self._env = {
            **python_env(),
            "QMTL__MESH__HOME": str(mesh.home),
            "QMTL__MESH__NATS_URL": mesh.nats_url,
            "QMTL__WORLDSERVICE__METRICS_PORT": "0",
            **{f"QMTL__MESH__ADDRESSES__{name.upper()}": address for name, address in harness.addresses.items()},
        }
        self._process: subprocess.Popen[bytes] | None = None

    async def restart(self) -> WorldStubs:
        """Kill what runs, start another, and wait until it answers."""
        self.kill()
        self._start()
        await eventually(self._answers, 60.0)
        return await self.harness.stub()

    def _start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "worldservice"],
            env=self._env, cwd=self.harness.home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    async def _answers(self) -> bool:
        host, port = self.harness.addresses["worldservice"].split(":")
        try:
            _, writer = await asyncio.open_connection(host, int(port))
        except OSError:
            return False
        writer.close()
        return True


@pytest.mark.soak
async def test_a_promotion_outlives_kills_between_its_approval_its_apply_and_its_end(harness: WorldHarness) -> None:
    ann = await governed(harness, EASY, lag="60d")
    await shown_on_paper(harness, ann)
    await request(ann)
    await harness.stop()
    killed = Killed(harness)
    harness.stack.callback(killed.kill)

    ann = await killed.restart()
    await ann.campaigns.ApprovePromotion(campaignservicepb.ApprovePromotionRequest(**NAMED, run_id="p1", reason="fine"))
    ann = await killed.restart()  # after the approval
    assert (await campaign(ann)).promotion.state == campaignpb.PROMOTION_STATE_APPROVED

    epoch, _ = harness.brokerage.state("w1")
    harness.brokerage.answering.clear()  # the freeze is asked for and not answered
    assert (await apply(ann)).state == campaignpb.PROMOTION_STATE_APPLYING
    ann = await killed.restart()  # after the apply's record, before its freeze
    assert (await campaign(ann)).promotion.state == campaignpb.PROMOTION_STATE_APPLYING
    assert (await apply(ann)).apply_run_id == "promo-p1"  # asked again it is the same one
    harness.brokerage.answering.set()

    async def completed() -> bool:
        asked = applyservicepb.GetApplyRunRequest(world_id="w1", run_id="promo-p1")
        return (await ann.applies.GetApplyRun(asked)).run.HasField("ended_at")

    await eventually(completed, 60.0)
    ann = await killed.restart()  # around the end of the apply
    await eventually(lambda: _is(ann, "APPLIED"), 60.0)
    after = await campaign(ann)
    assert (after.phase, after.canary_step) == (campaignpb.CAMPAIGN_PHASE_LIVE_CANARY, 0)
    found = await ann.activation.GetActivation(activationservicepb.GetActivationRequest(world_id="w1"))
    assert [(one.active, one.weight) for one in found.activation.entries] == [(True, "0.1")]
    assert harness.brokerage.state("w1")[0] > epoch
    told = (await ann.audit.ListAudit(auditservicepb.ListAuditRequest(world_id="w1"))).entries
    assert sum("p1 of s APPLIED" in one.message for one in told) == 1
    assert sum("p1 of s APPLYING" in one.message for one in told) == 1
