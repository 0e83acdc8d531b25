"""Two loops over one world do each act once; two promotions for the last slot, and shares of capital that bar."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from fractions import Fraction

import pytest
from sqlalchemy import Connection

from qmtl.cli.commands.campaign.scheduling import tick_once
from qmtl.core.roles import Role
from qmtl.world.v1 import campaign_pb2 as campaignpb
from tests.worldservice.campaigns.test_service import EASY, _is, campaign, governed, reasons, shown_on_paper
from tests.worldservice.harness import WorldHarness, eventually
from tests.worldservice.samples import NOW
from worldservice.allocation.domain.shares import AllocationSet, Owner, Shares, Terms
from worldservice.allocation.store import sets

AUTO = EASY + "governance: {live_promotion: {mode: auto_apply}}\n"


async def test_two_loops_do_each_act_once(harness: WorldHarness, capsys: pytest.CaptureFixture[str]) -> None:
    ann = await governed(harness, AUTO)
    await shown_on_paper(harness, ann)
    loops = [(await harness.stub(Role.OPERATOR, name)).campaigns for name in ("loop-1", "loop-2")]
    said: list[set[str]] = [set(), set()]

    async def both() -> None:
        await asyncio.gather(
            *(tick_once(stub, "w1", told, allow_live=True) for stub, told in zip(loops, said, strict=True))
        )

    await both()
    asked = (await campaign(ann)).promotion
    assert (asked.state, asked.run_id.startswith("camp-w1-s-paper-")) == (campaignpb.PROMOTION_STATE_REQUESTED, True)
    await both()
    await eventually(lambda: _is(ann, "APPLIED"))
    after = await campaign(ann)
    assert (after.promotion.run_id, after.promotion.apply_run_id) == (asked.run_id, f"promo-{asked.run_id}")
    assert after.phase == campaignpb.CAMPAIGN_PHASE_LIVE_CANARY
    capsys.readouterr()
    await both()  # nothing is due: the canary waits for its days
    assert capsys.readouterr().out == ""


async def test_a_strategy_without_a_share_in_the_sets_of_its_world_is_barred(harness: WorldHarness) -> None:
    ann = await governed(harness)
    assert "not known" in (await campaign(ann)).notes[0]
    await harness.fill(lambda conn: give(conn, 1, "other"))
    told = await campaign(ann)
    assert ("SHARE_MISSING" in reasons(told), list(told.notes)) == (True, [])
    block = next(one for one in told.blocks if one.reason == "SHARE_MISSING")
    assert block.message == "has no share of capital in set 1 of account main, want above 0"
    await harness.fill(lambda conn: give(conn, 2, "s"))
    assert "SHARE_MISSING" not in reasons(await campaign(ann))


def give(conn: Connection, revision: int, strategy_id: str) -> None:
    """A set of account main that names w1 and one strategy in it."""
    shares = Shares({"w1": Fraction(1, 2)}, {Owner("w1", strategy_id): Fraction(1, 4)})
    found = AllocationSet("main", revision, f"r{revision}", shares, Terms(), "a test", "ann", NOW, "blake3:x")
    state = sets.lock_account(conn, "main")
    sets.insert_set(conn, found)
    sets.save_budget_state(conn, replace(state, set_revision=revision))
