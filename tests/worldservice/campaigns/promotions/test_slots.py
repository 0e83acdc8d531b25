"""Two promotions for the last slot: one gets it, the other is told so; together they do not pass either."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from qmtl.core.errors import QmtlError
from qmtl.core.roles import Role
from qmtl.world.v1 import apply_pb2 as applypb
from qmtl.world.v1 import apply_service_pb2 as applyservicepb
from qmtl.world.v1 import campaign_pb2 as campaignpb
from qmtl.world.v1 import campaign_service_pb2 as campaignservicepb
from qmtl.world.v1 import evaluation_service_pb2 as evaluationservicepb
from qmtl.world.v1 import session_service_pb2 as sessionservicepb
from tests.support.world_stubs import WorldStubs
from tests.worldservice.campaigns.test_service import EASY, governed, refusal
from tests.worldservice.harness import LONG, WorldHarness, eventually, stamp

ONE_SLOT = EASY.replace("live: {", "live: {max_slots: 1, ")
BOTH = ("s", "t")


async def approved(harness: WorldHarness, ann: WorldStubs) -> None:
    """Both are shown on paper, asked for and approved."""
    gateway = await harness.gateway()
    opened = await gateway.sessions.OpenSession(
        sessionservicepb.OpenSessionRequest(
            world_id="w1", execution_domain="EXECUTION_DOMAIN_DRYRUN", data_preset="live",
            start=stamp(harness.clock.now() - timedelta(days=90)), dataset_fingerprint="sha256:data",
        )
    )  # fmt: skip
    for name in BOTH:
        run = evaluationservicepb.EvaluateRequest(
            world_id="w1", strategy_id=name, run_id=f"paper-{name}", stage="STAGE_PAPER"
        )
        run.paper_books.account, run.paper_books.session_id = "p", opened.session.session_id
        await ann.evaluation.Evaluate(run)
        named: dict[str, Any] = {"world_id": "w1", "strategy_id": name, "run_id": f"p-{name}"}
        await ann.campaigns.RequestPromotion(campaignservicepb.RequestPromotionRequest(**named, reason="ready"))
        await ann.campaigns.ApprovePromotion(campaignservicepb.ApprovePromotionRequest(**named, reason="fine"))


async def promote(stub: WorldStubs, name: str) -> str:
    asked = campaignservicepb.ApplyPromotionRequest(world_id="w1", strategy_id=name, run_id=f"p-{name}")
    try:
        await stub.campaigns.ApplyPromotion(asked)
    except QmtlError as error:
        return error.metadata.get("blocks", error.reason)
    return ""


async def test_the_last_slot_is_one_promotion_s(harness: WorldHarness) -> None:
    ann = await governed(harness, ONE_SLOT, "t")
    await approved(harness, ann)
    together = applyservicepb.ApplyRequest(world_id="w1", run_id="together")
    for name in BOTH:
        together.targets.targets.append(
            applypb.ApplyTarget(strategy_id=name, side=LONG, weight="0.1", stage="STAGE_LIVE")
        )
    assert (await refusal(ann.applies.Apply(together))).metadata == {"blocks": "MAX_LIVE_SLOTS"}

    stubs = [await harness.stub(Role.OPERATOR, f"op-{name}") for name in BOTH]
    said = dict(zip(BOTH, await asyncio.gather(*map(promote, stubs, BOTH)), strict=True))
    first, second = sorted(BOTH, key=lambda name: said[name] != "")
    assert said[first] == ""
    assert said[second] in ("E_APPLY_RUNNING", "MAX_LIVE_SLOTS")  # it comes while the other's apply runs, or after it

    async def applied() -> bool:
        asked = campaignservicepb.GetCampaignRequest(world_id="w1", strategy_id=first)
        state = (await ann.campaigns.GetCampaign(asked)).campaign.promotion.state
        return state == campaignpb.PROMOTION_STATE_APPLIED

    await eventually(applied)
    assert await promote(ann, second) == "MAX_LIVE_SLOTS"
