"""One tenure of an executor beside peers that keep their contracts: kills at every call, ended sessions, versions."""

from __future__ import annotations

from decimal import Decimal

import pytest

from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.world.v1 import rebalance_pb2 as rebalancepb
from tests.gateway.rebalancing.venue import Leg, Venue, run_of

D = Decimal
SELL: Leg = ("w1", "s1", "1", "-0.4", True)
COVER: Leg = ("w2", "s2", "-2", "0.6", True)
BUY: Leg = ("w2", "s3", "1", "0.8", False)
COMPLETED, PARTIAL = rebalancepb.REBALANCE_STATE_COMPLETED, rebalancepb.REBALANCE_STATE_PARTIAL
RUNS = {
    "per-world": run_of(SELL, COVER, BUY),
    "sliced": run_of(SELL, BUY, slices=2),
    "netted": run_of(SELL, COVER, BUY, netted=True),
    "crossed": run_of(SELL, ("w2", "s3", "1", "0.4", False), netted=True),
}


def copied(name: str) -> rebalancepb.RebalanceRun:
    run = rebalancepb.RebalanceRun()
    run.CopyFrom(RUNS[name])
    return run


def assert_done(venue: Venue) -> None:
    """Every leg is filled once: by the book, and by what the run says."""
    run = venue.run
    assert run.state == COMPLETED, list(run.reasons)
    for leg, progress in zip(run.plan.legs, run.progress, strict=True):
        assert D(progress.filled) == D(leg.rounded)
        assert venue.held[leg.world_id, leg.strategy_id] == D(leg.quantity) + D(leg.rounded)


@pytest.mark.parametrize("name", list(RUNS))
async def test_a_kill_at_any_call_repeats_no_order_and_loses_no_fill(name: str) -> None:
    whole = Venue(copied(name))
    await whole.execute()
    assert_done(whole)
    for call in range(1, whole.calls + 1):
        for has_effect in (False, True):
            venue = Venue(copied(name))
            venue.kill_at = call, has_effect
            await venue.execute()
            venue.kill_at = 0, True
            assert has_effect or venue.run.state != COMPLETED, "it was killed"
            if venue.run.state != COMPLETED:
                await venue.execute(epoch=2)
            assert_done(venue)
            assert set(venue.orders) == set(whole.orders), (call, has_effect)


async def test_orders_that_reduce_are_closed_before_one_that_adds_is_sent() -> None:
    venue = Venue(copied("per-world"))
    await venue.execute()
    names = [name for name in venue.orders if name.endswith("-1")]
    assert names.index("rb-r1-2-0-1") == len(names) - 1
    assert list(venue.orders).index("rb-r1-2-0-1") > list(venue.orders).index("rb-r1-1-0-2"), "and their second tries"


async def test_brokerage_that_is_away_for_a_while_is_waited_for() -> None:
    for away in range(1, 9):
        venue = Venue(copied("per-world"))
        venue.away = away
        await venue.execute()
        assert_done(venue)


@pytest.mark.parametrize("name", ["per-world", "netted"])
async def test_a_run_trades_for_whichever_version_the_symbol_is_of(name: str) -> None:
    venue = Venue(copied(name))
    venue.weights = {1: "1", 2: "0"}
    await venue.execute()
    assert_done(venue)
    adding = [each.order for each in venue.orders.values() if each.order.position_target]
    assert all(order.strategy_version == 1 for order in adding)
    assert bool(adding) is (name == "per-world")
    nobodys = Venue(copied(name))
    nobodys.weights = {1: "0", 2: "0"}
    await nobodys.execute()
    assert nobodys.run.state == PARTIAL
    assert any("GATE_OTHER_CANARY_SHARE" in reason for reason in nobodys.run.reasons), list(nobodys.run.reasons)


@pytest.mark.parametrize("name", ["per-world", "netted"])
async def test_a_session_that_is_over_ends_the_run_by_name(name: str) -> None:
    venue = Venue(copied(name))
    venue.ended = True
    await venue.execute()
    assert venue.run.state == PARTIAL
    assert not venue.orders, "nothing is sent that would wait for ever"
    assert len(venue.run.reasons) == len(venue.run.plan.legs)
    assert all("NO_BARS_LEFT: the session of BTC has ended" in reason for reason in venue.run.reasons)


async def test_an_order_that_the_end_of_its_session_leaves_open_is_cancelled() -> None:
    class Ends(Venue):
        async def GetOrder(self, request: object) -> object:  # type: ignore[override]
            self.ended = True
            return await super().GetOrder(request)  # type: ignore[arg-type]

    venue = Ends(run_of(SELL))
    await venue.execute()
    assert [status.view for status in venue.orders.values()] == [orderpb.ORDER_VIEW_CANCELED]
    assert venue.run.state == PARTIAL
    assert "NO_BARS_LEFT" in venue.run.reasons[0]
    assert venue.held["w1", "s1"] == 1


async def test_shares_that_cross_need_no_bar() -> None:
    venue = Venue(copied("crossed"))
    venue.ended = True
    await venue.execute()
    assert_done(venue)


async def test_what_comes_while_a_report_is_under_way_goes_with_the_next() -> None:
    legs: list[Leg] = [("w1", f"s{n:02}", "1", "-0.4", True) for n in range(30)]
    venue = Venue(run_of(*legs), fills=("1",))
    await venue.execute()
    assert_done(venue)
    assert 2 <= venue.reports < 15, "the first and the last, and few of 30 orders between"


async def test_an_executor_that_was_overtaken_sends_nothing_more() -> None:
    class Overtaken(Venue):
        async def SubmitOrder(self, request: object) -> object:  # type: ignore[override]
            self.run.revision = 9  # another has reported under its epoch
            return await super().SubmitOrder(request)  # type: ignore[arg-type]

    venue = Overtaken(run_of(SELL, COVER, BUY))
    with pytest.raises(Exception, match="another executor"):
        await venue.execute()
    assert not any(each.order.position_target for each in venue.orders.values()), "none of the next group"
    assert venue.run.state == rebalancepb.REBALANCE_STATE_EXECUTING
