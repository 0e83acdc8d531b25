"""The producer against the real hub: what books say arrives there once, by one replica; failures are told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from brokerage.accounts import store as accounts_store
from brokerage.domain.orders.order import Owner, Side
from brokerage.risk_signals.hub import RiskHub
from brokerage.risk_signals.metrics import SignalMetrics
from brokerage.risk_signals.producer import Pace, RiskProducer
from brokerage.risk_signals.store import PutState, RiskPut, load_puts
from brokerage.status import failing_signals
from qmtl.core.errors import Unavailable
from qmtl.risk.v1 import risk_pb2 as riskpb
from qmtl.risk.v1 import risk_service_pb2 as riskservicepb
from qmtl.risk.v1 import risk_service_pb2_grpc as riskrpc
from qmtl.rpc.auth.tokens import mint_service_token
from qmtl.rpc.client.channel import connect
from qmtl.sql.database import sqlite_url
from qmtl.world.v1 import allocation_service_pb2_grpc as allocationrpc
from qmtl.world.v1 import binding_service_pb2 as bindingservicepb
from tests.brokerage.samples import OWNER, Book, bar, open_book, order
from tests.support.world_stubs import WorldStubs
from tests.worldservice.harness import WorldHarness, eventually, make_world, running_harness

DAY = 1_440  # minutes
PACE = Pace(5.0, 300.0)


@dataclass
class Mesh:
    """A hub with a world and a bound strategy, and a store of books beside it."""

    harness: WorldHarness
    book: Book
    ann: WorldStubs
    hub: RiskHub
    registry: CollectorRegistry

    def producer(self) -> RiskProducer:
        self.registry = CollectorRegistry()
        return RiskProducer(
            self.book.db, self.book.market, self.hub, self.harness.clock, SignalMetrics(self.registry), PACE
        )

    async def versions(self, **scope: str) -> list[str]:
        """Oldest first."""
        reply = await self.ann.risk.ListSnapshots(riskservicepb.ListSnapshotsRequest(**scope))  # type: ignore[arg-type]
        return [one.version for one in reversed(reply.snapshots)]

    async def puts(self) -> dict[str, RiskPut]:
        return {scope: put for (scope, _), put in (await self.book.db.read(load_puts)).items()}

    async def after(self, producer: RiskProducer, seconds: float) -> list[str]:
        """Versions of the account once so much time has gone by and a round was made."""
        self.harness.clock.advance(seconds)
        await producer.round()
        return await self.versions(account="acc")

    def counted(self, result: str) -> float:
        return self.registry.get_sample_value("qmtl_brokerage_risk_puts_total", {"result": result}) or 0.0


@pytest.fixture
async def mesh(tmp_path: Path, nats_url: str) -> AsyncIterator[Mesh]:
    async with AsyncExitStack() as stack:
        harness = await stack.enter_async_context(running_harness(tmp_path / "home", nats_url))
        ann = await make_world(harness, "w1")
        await ann.bindings.BindStrategy(bindingservicepb.BindStrategyRequest(world_id="w1", strategy_id="s1"))
        book = await stack.enter_async_context(open_book(sqlite_url(tmp_path / "books.db")))
        token = mint_service_token(harness.home, "brokerage", clock=harness.clock)
        channel = connect(harness.addresses["worldservice"], service_token=lambda: token)
        await stack.enter_async_context(channel)
        hub = RiskHub(riskrpc.RiskServiceStub(channel), allocationrpc.AllocationServiceStub(channel))
        yield Mesh(harness, book, ann, hub, CollectorRegistry())


async def trade(book: Book, name: str, minute: int, owner: Owner = OWNER) -> None:
    """Buy ten shares, filled by the bar of a minute."""
    await book.submit(replace(order(name, Side.BUY), owner=owner))
    await book.show(bar(minute))


async def test_books_arrive_after_fills_and_days_and_a_restart_puts_the_same_again(mesh: Mesh) -> None:
    book, one = mesh.book, mesh.producer()
    await book.open()
    assert await one.lease.acquire()
    assert len(await mesh.after(one, 0)) == 1
    cash = (await mesh.ann.risk.GetLatest(riskservicepb.GetLatestRequest(account="acc"))).snapshot
    assert [(one.id, one.share) for one in cash.weights] == [("@cash", 1.0)]
    await book.show(bar(0))
    await trade(book, "o1", 1)
    assert len(await mesh.after(one, 4)) == 1  # within five seconds of the last
    assert len(await mesh.after(one, 1)) == 1
    assert (await mesh.puts())["account:acc"].state is PutState.UNMEASURED
    assert "w1/s1 has no whole day" in (await mesh.puts())["account:acc"].detail

    for day in (1, 2):
        await book.show(bar(day * DAY + 5, opened=100 + 10 * day))
    assert len(await mesh.after(one, 5)) == 2
    assert not await book.db.read(failing_signals)
    latest = (await mesh.ann.risk.GetLatest(riskservicepb.GetLatestRequest(world_id="w1"))).snapshot
    assert (latest.stage, latest.actor, latest.net_of_costs) == (riskpb.RISK_STAGE_PAPER, "service:brokerage", True)
    (series,) = latest.returns
    assert (series.id, series.start_day, len(series.values)) == ("s1", "1970-01-01", 2)
    assert series.values[1] == pytest.approx(10 * 10 / 100_008.999, rel=1e-4)  # ten shares gained ten dollars
    (held,) = latest.exposures
    assert (held.symbol, held.quantity, held.mark) == ("AAPL", "10", "121")
    assert latest.account_sequence == 4

    before = await mesh.versions(account="acc")
    await one.lease.release()
    again = mesh.producer()
    assert await again.lease.acquire()
    assert await mesh.after(again, 0) == before
    assert (mesh.counted("deduplicated"), mesh.counted("stored")) == (2.0, 0.0)
    assert await mesh.after(again, 299) == before
    after = await mesh.after(again, 1)
    assert len(after) == len(before) + 1
    await book.show(bar(3 * DAY + 5))
    assert len(await mesh.after(again, 5)) == len(after) + 1


async def test_one_replica_puts_and_the_next_takes_over(mesh: Mesh) -> None:
    await mesh.book.open()
    one, two = mesh.producer(), mesh.producer()
    assert await one.lease.acquire()
    assert not await two.lease.acquire()
    assert len(await mesh.after(one, 0)) == 1
    assert not await two.lease.acquire()
    mesh.harness.clock.advance(12)  # nobody renews
    assert await two.lease.acquire()
    assert len(await mesh.after(two, 0)) == 1  # the same again
    assert len(await mesh.after(one, 400)) == 1  # the first has lost it
    assert len(await mesh.after(two, 0)) == 2


async def test_a_refusal_is_told_and_not_sent_again_before_it_is_due(mesh: Mesh) -> None:
    book, one = mesh.book, mesh.producer()
    await book.open()
    await book.show(bar(0))
    await trade(book, "o1", 1, replace(OWNER, strategy_id="s2"))
    await book.show(bar(DAY + 5))
    assert await one.lease.acquire()
    assert await mesh.after(one, 0) == []
    found = (await mesh.puts())["world:w1"]
    assert (found.state, found.detail[:19]) == (PutState.REFUSED, "E_STRATEGY_UNKNOWN:")
    assert {put.scope for put, _ in await book.db.read(failing_signals)} == {"account:acc", "world:w1"}
    assert mesh.registry.get_sample_value("qmtl_brokerage_risk_scopes_failing") == 2.0
    await mesh.after(one, 60)
    assert mesh.counted("refused") == 2.0
    await mesh.ann.bindings.BindStrategy(bindingservicepb.BindStrategyRequest(world_id="w1", strategy_id="s2"))
    assert len(await mesh.after(one, 240)) == 1
    assert not await book.db.read(failing_signals)


async def test_a_hub_that_comes_back_gets_what_waited(mesh: Mesh) -> None:
    book, one = mesh.book, mesh.producer()
    await book.open()
    await mesh.harness.stop()
    assert await one.lease.acquire()
    await one.round()
    waiting = (await mesh.puts())["account:acc"]
    assert (waiting.state, waiting.failed_since_ns > 0) == (PutState.AWAY, True)
    assert [(put.scope, worlds) for put, worlds in await book.db.read(failing_signals)][1] == ("world:w1", ("w1",))
    await mesh.harness.start()
    account = await book.db.read(lambda conn: accounts_store.account(conn, "acc"))

    async def answers() -> bool:
        try:
            return await mesh.hub.shares(account) == ()
        except Unavailable:  # the channel waits before it connects again
            return False

    await eventually(answers)
    mesh.harness.clock.advance(1)
    await one.round()
    assert await book.db.read(failing_signals)  # it waits longer after a failure than that
    assert len(await mesh.after(one, 60)) == 1
    assert (await mesh.puts())["world:w1"].state is PutState.STORED
    assert not await book.db.read(failing_signals)
