"""The process of a replay: bounded, and gone with whoever waits for it."""

from __future__ import annotations

import asyncio
import os
from decimal import Decimal as D

import pytest

from brokerage.domain.market.symbols import Instruments
from brokerage.domain.models.profiles.generic import spot
from brokerage.domain.orders.order import Order, Owner, Side
from brokerage.market.context import MarketContext
from brokerage.orders.wire import order_to_proto
from brokerage.replay.process import ReplayProcess
from qmtl.broker.v1 import replay_pb2 as replaypb
from qmtl.broker.v1 import replay_service_pb2 as replayservicepb
from qmtl.core.errors import InvalidRequest, Unavailable

MARKET = MarketContext(Instruments(), spot())
ORDER = Order(Owner("acc", "w1", "s1"), "one", "BTC-USD", Side.BUY, D(1), decided_ns=10**18)
GIB = 1 << 30


def body(**changes: object) -> bytes:
    made = replaypb.OrderReplay(
        world_id="w1", strategy_id="s1", orders=[order_to_proto(ORDER)], dataset_fingerprints=["sha256:a"]
    )
    made.MergeFrom(replaypb.OrderReplay(**changes))  # type: ignore[arg-type]  # by name
    return made.SerializeToString()


async def test_it_names_what_it_wants_and_answers_no_bars_with_a_summary() -> None:
    async with ReplayProcess(100, 6 * GIB) as process:
        await process.send((MARKET, body()))
        assert await process.fingerprints() == ("sha256:a",)
        await process.send(None)
        *_, last = await process.parts()
    summary = replayservicepb.ReplayOrdersResponse.FromString(last).summary
    assert (summary.fill_count, summary.equity_count, summary.base_currency) == (0, 0, "USD")
    assert process.child.pid != os.getpid()


async def test_an_error_of_its_own_is_raised_as_it_is() -> None:
    async with ReplayProcess(100, 6 * GIB) as process:
        await process.send((MARKET, body(orders=[order_to_proto(ORDER)])))
        with pytest.raises(InvalidRequest, match=r"E_FIELD: orders\[1\].client_order_id") as caught:
            await process.fingerprints()
    assert [one.field for one in caught.value.violations] == ["orders[1].client_order_id"]


async def test_it_ends_with_its_caller() -> None:
    begun = asyncio.Event()

    async def waits(process: ReplayProcess) -> None:
        async with process:
            await process.send((MARKET, body()))
            await process.fingerprints()
            begun.set()
            await process.parts()  # it waits for bars that nobody sends

    process = ReplayProcess(100, 6 * GIB)
    call = asyncio.create_task(waits(process))
    await begun.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert process.child.returncode == -9


async def test_one_that_dies_is_an_outage_and_no_answer() -> None:
    async with ReplayProcess(100, 6 * GIB) as process:
        await process.send((MARKET, body()))
        await process.fingerprints()
        process.child.kill()
        with pytest.raises(Unavailable, match="E_CANCELLED_INSIDE: the process of the replay ended with -9"):
            await process.parts()
