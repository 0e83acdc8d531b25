"""Metrics of campaigns: what was carried out, what ended, what was refused, and how many are in each phase."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection

from qmtl.core.errors import NotReady
from qmtl.sql.database import Database
from qmtl.world.v1 import campaign_service_pb2 as campaignservicepb
from tests.worldservice.campaigns.test_reports import POLICY, Books, made, opened
from tests.worldservice.campaigns.test_service import NAMED, governed, request
from tests.worldservice.harness import WorldHarness, eventually
from tests.worldservice.samples import binding, world
from worldservice.campaigns import store
from worldservice.campaigns.domain.phases import Campaign, Phase
from worldservice.worlds.domain.binding import Stage
from worldservice.worlds.store import bindings, worlds


async def test_each_act_end_and_refusal_is_counted_once(harness: WorldHarness) -> None:
    ann = await governed(harness, POLICY)
    for _ in range(2):
        await request(ann)
        harness.clock.advance(1.0)
    with pytest.raises(NotReady, match="E_PROMOTION_BLOCKED") as refused:
        await ann.campaigns.ApplyPromotion(campaignservicepb.ApplyPromotionRequest(**NAMED, run_id="p1"))
    assert "DIVERGENCE_MISSING" in refused.value.metadata["blocks"]
    withdrawn = campaignservicepb.WithdrawPromotionRequest(**NAMED, run_id="p1", reason="not yet")
    for _ in range(2):
        await ann.campaigns.WithdrawPromotion(withdrawn)
        harness.clock.advance(1.0)
    books = Books(harness, await opened(harness))
    asked = await books.request(ann)
    for _ in range(2):
        await made(ann, asked)
        harness.clock.advance(1.0)

    def counted(name: str, **labels: str) -> float | None:
        return harness.sample(f"qmtl_world_{name}", **labels)

    assert counted("campaign_actions_total", kind="REQUEST_PROMOTION") == 1
    assert counted("campaign_actions_total", kind="APPLY_PROMOTION") is None
    assert counted("campaign_actions_total", kind="CREATE_REPORT") == 1
    assert counted("promotions_total", result="WITHDRAWN") == 1
    assert counted("promotion_blocks_total", reason="DIVERGENCE_MISSING") == 1
    assert counted("divergence_verdicts_total", verdict="FAIL") == 1
    assert counted("divergence_pnl_residual") == 0

    async def in_phase() -> bool:
        harness.clock.advance(1.0)
        return counted("campaigns", phase="PAPER") == 1 and counted("campaigns", phase="LIVE_FULL") == 0

    await eventually(in_phase)


async def test_who_never_moved_is_counted_with_those_at_the_beginning(database_url: str) -> None:
    db = Database(database_url)
    await db.migrate("worldservice:migrations")

    def lay(conn: Connection) -> None:
        worlds.insert_world(conn, world())
        for name in ("stored", "new"):
            bindings.save_binding(conn, binding(name, Stage.BACKTEST))
        store.save_campaign(conn, Campaign("alpha", "stored"))

    await db.write(lay)
    counted = await db.read(store.count_phases)
    assert {phase: count for phase, count in counted.items() if count} == {Phase.BACKTEST: 2}
    await db.close()
