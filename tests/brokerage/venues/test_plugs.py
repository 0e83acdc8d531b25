"""A venue of another project: named by its installed entry point, made with what the settings say, driven as any."""

from __future__ import annotations

import asyncio
import sys
from decimal import Decimal
from pathlib import Path
from typing import Literal

import pytest
from prometheus_client import CollectorRegistry

from brokerage.accounts import at_venues, opening
from brokerage.accounts import store as accounts_store
from brokerage.config import Settings, VenueEntry
from brokerage.domain.accounts.account import AccountFeed, TradingState
from brokerage.domain.market.mark import Mark
from brokerage.domain.orders.states import OrderState, OrderType
from brokerage.market.configured import market_of
from brokerage.venues import states
from brokerage.venues.ccxt.plug import ccxt_plug
from brokerage.venues.connections import VenueConnections, VenueMetrics
from brokerage.venues.dispatch.dispatcher import DispatchMetrics
from brokerage.venues.plugs import PlugTerms, VenuePlug, plugged, require_apart
from examples.venue import MemoryPlug
from qmtl.broker.v1 import account_service_pb2 as accountservicepb
from qmtl.core.clock import SystemClock
from qmtl.core.errors import InvalidRequest
from qmtl.core.instants import to_ns
from qmtl.core.modes import EffectiveMode
from qmtl.core.tasks.ending import end
from tests.brokerage.samples import ACTOR, WORLD, fence, open_book, order
from tests.brokerage.venues.reconcile.live import LIVE_GATE
from tests.support.waiting import eventually

WAIT_S = 45.0
POINTS = """\
[qmtl.venues]
memory = examples.venue:MemoryPlug
broken = examples.venue:no_such_plug
gone = examples.no_such_module:plug
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What an installer leaves of a project with these entry points, where Python looks for packages."""
    found = tmp_path / "site" / "memory_venue-1.0.dist-info"
    found.mkdir(parents=True)
    (found / "METADATA").write_text("Metadata-Version: 2.1\nName: memory-venue\nVersion: 1.0\n")
    (found / "entry_points.txt").write_text(POINTS)
    monkeypatch.setattr(sys, "path", [*sys.path, str(found.parent)])
    return found


def terms(tmp_path: Path, kind: str, lease_ttl_s: float = 10.0, **options: str) -> PlugTerms:
    entry = VenueEntry(kind=kind, options=options, lease_ttl_s=lease_ttl_s)
    return PlugTerms("mine", entry, SystemClock(), {}, tmp_path)


async def test_an_installed_venue_is_made_with_its_options(installed: Path, tmp_path: Path) -> None:
    plug = plugged(terms(tmp_path, "memory", cash="250.5"), ccxt_plug)
    assert plug.traits.name == "memory"
    venue = await plug.connect(lambda: 0)
    assert await venue.balances() == {"USD": Decimal("250.5")}
    assert (await venue.instruments(), venue.weight_used) == ([], None)
    await venue.close()


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("memroy", "brokerage.venues.mine.kind is 'memroy', installed are broken, ccxt, gone, memory"),
        ("broken", "brokerage.venues.mine: entry point examples.venue:no_such_plug does not load"),
        ("gone", "brokerage.venues.mine: entry point examples.no_such_module:plug does not load"),
    ],
)
def test_what_cannot_be_loaded_is_told(installed: Path, tmp_path: Path, kind: str, said: str) -> None:
    with pytest.raises(InvalidRequest, match="E_VENUE_INVALID") as refused:
        plugged(terms(tmp_path, kind), ccxt_plug)
    assert said in refused.value.message


def test_a_lease_that_is_over_before_a_request_is_taken_is_refused(installed: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="lease_ttl_s is 2, want more than 2: the acceptance window and a second"):
        plugged(terms(tmp_path, "memory", lease_ttl_s=2), ccxt_plug)
    plugged(terms(tmp_path, "memory", lease_ttl_s=2.1), ccxt_plug)


def exchange(
    tmp_path: Path, name: str, key: str, market: Literal["spot", "usdm"] = "spot", address: str = ""
) -> VenuePlug:
    stage: Literal["local", "production"] = "local" if address else "production"
    entry = VenueEntry(
        exchange="binance", market=market, symbols=("BTC/USDT",), credentials=name, stage=stage, address=address
    )
    environ = {f"QMTL_BINANCE_{name.upper()}_API_KEY": key, f"QMTL_BINANCE_{name.upper()}_SECRET": "s"}
    return plugged(PlugTerms(name, entry, SystemClock(), environ, tmp_path), ccxt_plug)


def test_two_names_of_one_key_are_one_account_and_refused_without_showing_it(tmp_path: Path) -> None:
    one, two, other = (exchange(tmp_path, *named) for named in (("a", "KEY"), ("b", "KEY"), ("c", "ELSE")))
    with pytest.raises(InvalidRequest, match=r"a and brokerage\.venues\.b have one API key") as refused:
        require_apart({"a": one, "c": other, "b": two})
    assert (refused.value.reason, "KEY" in str(refused.value).replace("API key", "")) == ("E_VENUE_INVALID", False)
    require_apart({"a": one, "c": other, "d": exchange(tmp_path, "d", "KEY", "usdm")})  # another wallet
    with pytest.raises(InvalidRequest, match=r"a and brokerage\.venues\.e have one API key"):
        require_apart({"a": one, "e": exchange(tmp_path, "e", "KEY", address="https://api.binance.com")})


def test_what_is_not_installed_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="installed are ccxt"):
        plugged(terms(tmp_path, "memory"), ccxt_plug)


async def test_an_account_at_it_is_opened_and_an_order_trades(installed: Path, tmp_path: Path) -> None:
    plug = plugged(terms(tmp_path, "memory", cash="10000"), ccxt_plug)
    assert isinstance(plug, MemoryPlug)
    entries = {"mine": VenueEntry(kind="memory", live=True, stage="local", poll_s=0.5)}
    market, registry = market_of(Settings(venues=entries), {"mine": plug.traits}), CollectorRegistry()
    request = accountservicepb.OpenVenueAccountRequest(
        account="acc", venue="mine", base_currency="USD", fee_rate="0.001"
    )
    wanted, clock = at_venues.draft(market, request, 7), SystemClock()
    async with open_book(f"sqlite:///{tmp_path / 'store.db'}", market) as book:
        measures = (VenueMetrics(registry), DispatchMetrics(registry))
        connections = VenueConnections(book.db, market, {"mine": plug}, entries, clock, measures)
        following = asyncio.create_task(connections.follow("mine"))
        try:
            await book.db.write(lambda conn: at_venues.open_at_venue(conn, wanted, [WORLD], ACTOR, accounts_max=10))
            await book.fence(fence(1, mode=EffectiveMode.LIVE))

            async def may_trade() -> bool:
                found = await book.db.read(lambda conn: accounts_store.account(conn, "acc"))
                return found.trading_state is TradingState.ACTIVE

            await eventually(may_trade, WAIT_S)
            feed = AccountFeed("prices", "", "AAPL", 60)
            stock = market.at("mine").instruments.find("AAPL")
            assert stock is not None
            mark = Mark(stock.price_units(Decimal(100)), to_ns(clock.now()), 0)
            await book.db.write(lambda conn: opening.add_feed(conn, "acc", feed, ACTOR, 8))
            await book.db.write(lambda conn: accounts_store.save_mark(conn, feed, mark))
            taken = await book.submit(order("o1", type=OrderType.LIMIT, limit_price=Decimal(99), venue=""), LIVE_GATE)
            assert taken.record.denial is None, taken.record

            async def filled() -> bool:
                plug.trade(Decimal(98))
                return await book.state("o1") is OrderState.FILLED

            await eventually(filled, WAIT_S)
            assert await plug.balances() == {"USD": Decimal(9_020), "AAPL": Decimal(10)}
            assert not (await connections.compare((await book.db.read(states.records))[0])).differences
        finally:
            await end(following)
