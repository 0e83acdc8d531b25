"""The weight that a strategy traded at over a report's window: scaled where it was one, unknown where it changed."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
import sqlalchemy as sa

from qmtl.sql.instants import micros
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from qmtl.world.v1 import divergence_pb2 as divergencepb
from tests.worldservice.campaigns.test_reports import DAYS, POLICY, Books, made, opened
from tests.worldservice.campaigns.test_service import governed
from tests.worldservice.harness import WorldHarness, stamp
from worldservice.activation import tables as activation_tables


async def test_a_weight_of_the_whole_window_scales_the_replay_and_one_that_changed_in_it_is_unknown(
    harness: WorldHarness,
) -> None:
    ann = await governed(harness, POLICY)
    books = Books(harness, await opened(harness), slip=Decimal(0))
    change = activationpb.ActivationChange(strategy_id="s", side="SIDE_LONG", weight="0.25")
    request = await books.request(ann)
    await ann.activation.SetActivation(activationservicepb.SetActivationRequest(world_id="w1", changes=[change]))
    report = await made(ann, request)
    assert report.verdict == divergencepb.DIVERGENCE_VERDICT_UNKNOWN
    assert report.reasons[0].startswith("the strategy trades at weight 0.25, and its entry last changed at ")
    assert report.reasons[0].endswith(": begin the window then or later")
    assert (report.weight, report.figures.fill_ratio) == ("", 1.0)
    entries = activation_tables.activation_entries

    def earlier(conn: sa.Connection) -> None:
        conn.execute(sa.update(entries).values(changed_us=micros(books.start + timedelta(days=2))))

    await harness.fill(earlier)
    request.start.CopyFrom(stamp(books.start + timedelta(days=2)))
    scaled = await made(ann, request)
    assert (scaled.weight, scaled.figures.fill_ratio, list(scaled.unequal)) == ("0.25", 4.0, [])
    assert Decimal(scaled.terms.replay_pnl) == (2 * (100 - Decimal("100.5")) - Decimal("1.1") - 2) / 4
    assert scaled.terms.opening == "0.75"  # a position of two, the replay's of half a one, and half a point more
    assert [one.replay_growth for one in scaled.days][-1] == pytest.approx(1 - 1.1 / 4 / 100_000, abs=1e-9)


async def test_another_weight_earlier_in_the_window_is_unknown_though_the_strategy_trades_at_one_now(
    harness: WorldHarness,
) -> None:
    ann = await governed(harness, POLICY)

    async def weighted(weight: str) -> str:
        change = activationpb.ActivationChange(strategy_id="s", side="SIDE_LONG", weight=weight)
        await ann.activation.SetActivation(activationservicepb.SetActivationRequest(world_id="w1", changes=[change]))
        at = harness.clock.now().strftime("%Y-%m-%dT%H:%M")
        harness.clock.advance(60)
        return at

    await weighted("0.25")
    whole = await weighted("1")
    for _ in range(2):
        await weighted("1")
    books = Books(harness, await opened(harness), slip=Decimal(0))
    request = await books.request(ann)
    report = await made(ann, request)
    assert report.verdict == divergencepb.DIVERGENCE_VERDICT_UNKNOWN
    assert report.reasons[0].startswith(f"the strategy traded at weight 0.25 until {whole}")
    assert report.reasons[0].endswith(", the replay at 1: begin the window then or later")
    assert (report.weight, report.figures.fill_ratio) == ("", 1.0)
    await weighted("0.5")
    await weighted("1")  # after the window
    request.start.CopyFrom(stamp(books.start + timedelta(days=DAYS - 1)))
    later = await made(ann, request)
    assert any("weight 0.25" in said for said in later.unequal)
    assert not any("weight 0.5" in said for said in later.unequal)
