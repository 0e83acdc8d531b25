"""Live trading through real processes: consent, an account at the local exchange, a kill, a freeze, orders by hand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner, Result

from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.broker.v1 import account_service_pb2 as accountservicepb
from qmtl.broker.v1 import manual_order_service_pb2 as manualorderservicepb
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.broker.v1 import order_service_pb2 as orderservicepb
from qmtl.broker.v1 import portfolio_service_pb2 as portfolioservicepb
from qmtl.broker.v1.manual_order_service_pb2_grpc import ManualOrderServiceStub
from qmtl.cli.local.supervisor import Mesh
from qmtl.cli.main import app
from qmtl.config.home import user_token_path
from qmtl.core.errors import PermissionDenied, QmtlError
from qmtl.core.roles import Role
from qmtl.gateway.v1 import trading_service_pb2 as tradingservicepb
from qmtl.rpc.auth.tokens import file_token
from qmtl.rpc.client.channel import connect
from qmtl.world.v1 import evaluation_service_pb2 as evaluationservicepb
from tests.exchange.binance.client import KEYS, opened
from tests.exchange.binance.spot import BinanceSpot
from tests.exchange.core.exchange import Exchange, now_ms
from tests.exchange.core.faults import Trouble
from tests.exchange.core.values import Status
from tests.exchange.market.client import market
from tests.exchange.server import serving
from tests.mesh.gateway_client import GatewayClient, client_over
from tests.mesh.live.live_world import (
    LIVE,
    MEANT,
    PRESET,
    STRATEGY,
    applied,
    approved_world,
    followed,
    raised,
    running,
)
from tests.support.shared.meshes import laid_plan
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from qmtl.broker.v1.manual_order_service_pb2_grpc import ManualOrderServiceAsyncStub

pytestmark = pytest.mark.timeout(180)
WAIT_S = 45.0
VENUE = """
[brokerage.venues.main]
exchange = "binance"
symbols = ["BTC/USDT"]
live = true
stage = "local"
address = "{address}"
poll_s = 5.0
lease_ttl_s = 4.0
timeout_ms = 2000
"""
FILLED, ACCEPTED, CANCELED = (
    orderpb.ORDER_STATE_FILLED,
    orderpb.ORDER_STATE_ACCEPTED,
    orderpb.ORDER_STATE_CANCELED,
)


@dataclass
class LiveTrading:
    """A world that is LIVE, and its account `acc` at the local exchange."""

    mesh: Mesh
    client: GatewayClient
    by_hand: ManualOrderServiceAsyncStub
    exchange: Exchange
    world: str

    async def qmtl(self, *args: str, typed: str = "") -> Result:
        """What a command does, with what a person types."""
        command = [*args, "--home", str(self.mesh.home)]
        return await asyncio.to_thread(lambda: CliRunner().invoke(app, command, input=typed))

    async def json(self, *args: str) -> Any:
        done = await self.qmtl(*args, "--json")
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    async def account(self) -> accountpb.Account:
        return (await self.client.accounts.GetAccount(accountservicepb.GetAccountRequest(account="acc"))).account

    async def may_trade(self) -> bool:
        return (await self.account()).trading_state == accountpb.TRADING_STATE_ACTIVE

    async def is_priced(self) -> bool:
        return (await self.account()).feeds[0].HasField("venue_time")

    async def open(self) -> None:
        """Open the account, wait until its venue was compared, and give it prices."""
        at = ("--venue", "main", "--world", self.world, "--currency", "USDT")
        found = await self.json("accounts", "open", "acc", *at)
        assert found["trading_state"] == "TRADING_STATE_HALTED"
        await eventually(self.may_trade, WAIT_S)
        await self.json("accounts", "feed", "acc", PRESET)
        await eventually(self.is_priced, WAIT_S)

    async def submit(self, name: str, price: str, *, meant: bool = True) -> orderpb.OrderStatus:
        """A limit order of the strategy to buy a tenth of a bitcoin."""
        order = orderpb.Order(
            account="acc",
            world_id=self.world,
            strategy_id=STRATEGY,
            client_order_id=name,
            symbol="BTC/USDT",
            side="ORDER_SIDE_BUY",
            type="ORDER_TYPE_LIMIT",
            quantity="0.1",
            limit_price=price,
            time_in_force="TIME_IN_FORCE_GTC",
        )
        request = tradingservicepb.SubmitOrderRequest(order=order)
        return (await self.client.trading.SubmitOrder(request, metadata=MEANT if meant else ())).status

    async def until(self, name: str, state: orderpb.OrderState) -> None:
        key = orderpb.OrderKey(account="acc", world_id=self.world, strategy_id=STRATEGY, client_order_id=name)

        async def there() -> bool:
            try:
                found = await self.client.orders.GetOrder(orderservicepb.GetOrderRequest(key=key))
            except QmtlError:  # brokerage is being restarted
                return False
            return bool(found.status.state == state)

        await eventually(there, WAIT_S)

    def sent(self) -> list[Status]:
        """How each order that the exchange has taken of the client stands."""
        return [order.status for order in self.exchange.orders.values() if order.account == "client"]

    def holds(self, bitcoins: str) -> Callable[[], Awaitable[bool]]:
        """Whether the account's position is this."""

        async def read() -> bool:
            return (await self.held())[1] == {"BTC/USDT": bitcoins}

        return read

    async def held(self) -> tuple[dict[str, str], dict[str, str]]:
        """Cash and positions of the account."""
        request = portfolioservicepb.GetPortfolioRequest(account="acc")
        found = (await self.client.portfolios.GetPortfolio(request)).portfolio
        cash = {row.currency: row.settled for row in found.cash}
        return cash, {row.symbol: row.quantity for row in found.positions}


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[LiveTrading]:
    home, exchange = tmp_path / "home", opened()
    folder = home / "credentials"
    folder.mkdir(mode=0o700, parents=True)
    keys = folder / "binance-main.toml"
    keys.touch(mode=0o600)
    keys.write_text(f'api_key = "{KEYS.api_key}"\nsecret = "{KEYS.secret}"\n')
    first_ms = now_ms() // 1_000 * 1_000 - 60_000
    async with (
        market(first_ms=first_ms, interval_ms=1_000) as prices,
        serving(exchange, BinanceSpot(exchange)) as address,
    ):
        config = tmp_path / "qmtl.toml"
        config.write_text(followed(prices.address) + VENUE.format(address=address))
        async with (
            running(Mesh(laid_plan(home, config))) as mesh,
            connect(mesh.address("gateway"), user_token=file_token(user_token_path(mesh.home, Role.OWNER))) as channel,
        ):
            client = client_over(channel)
            world = await approved_world(client)
            made = LiveTrading(mesh, client, ManualOrderServiceStub(channel), exchange, world)

            async def is_live() -> bool:
                asked = evaluationservicepb.DecideRequest(world_id=world)
                return (await client.evaluation.Decide(asked)).decision.effective_mode == LIVE

            await eventually(is_live, WAIT_S)
            await raised(client, world)
            await applied(client, world)
            await made.open()
            yield made


async def test_a_strategy_trades_at_the_exchange_once_with_consent_until_it_is_frozen(live: LiveTrading) -> None:
    assert await live.held() == ({"USDT": "10000", "BTC": "1"}, {})
    with pytest.raises(PermissionDenied, match="E_LIVE_GUARD"):
        await live.submit("unmeant", "98", meant=False)
    assert not live.sent()

    status = await live.submit("first", "98")
    assert not status.denial, status.message
    await live.until("first", ACCEPTED)
    live.exchange.quote("BTCUSDT", "96", "97")
    await live.until("first", FILLED)
    (fill,) = await live.json("fills", "--account", "acc")
    assert (fill["client_order_id"], fill["price"], fill["quantity"]) == ("first", "98", "0.1")
    assert await live.held() == ({"USDT": "9990.2", "BTC": "1"}, {"BTC/USDT": "0.0999"})  # its fee was taken in bitcoin

    taken = asyncio.Event()
    live.exchange.faults.witness = lambda *seen: taken.set() if seen == ("POST order", True) else None
    live.exchange.faults.plan("POST order", Trouble.SILENT_AFTER)
    await live.submit("second", "95")
    await taken.wait()
    pid = live.mesh.kill("brokerage")
    await asyncio.to_thread(live.mesh.wait_ready, "brokerage", other_than=pid, timeout_s=WAIT_S)
    await live.until("second", ACCEPTED)
    assert live.sent() == [Status.FILLED, Status.NEW]

    done = await live.qmtl("world", "freeze", live.world, "-m", "stop")
    assert done.exit_code == 0, done.output
    await live.until("second", CANCELED)
    frozen = await live.submit("third", "94")
    assert frozen.state == orderpb.ORDER_STATE_DENIED
    assert live.sent() == [Status.FILLED, Status.CANCELED]
    assert await live.json("reconcile", "acc") == {"orders_resolved": 0, "fills_booked": 0, "differences": []}


@pytest.mark.soak
async def test_an_order_by_hand_is_sent_once_the_name_of_its_account_was_typed(live: LiveTrading) -> None:
    buy = ("trade", "buy", "BTC/USDT", "0.1", "--limit", "98", "--account", "acc", "--reason", "by hand")
    for typed in ("", "\n", "yes\n", "ac\n", "ACC\n"):
        done = await live.qmtl(*buy, typed=typed)
        assert done.exit_code == 1
        assert "LIVE at main: buy 0.1 BTC/USDT. Type the account's name to go on" in done.output
        assert ("nothing was sent" if typed else "Aborted") in done.output
    order = orderpb.Order(
        account="acc",
        client_order_id="unmeant",
        symbol="BTC/USDT",
        side="ORDER_SIDE_BUY",
        type="ORDER_TYPE_LIMIT",
        quantity="0.1",
        limit_price="98",
        time_in_force="TIME_IN_FORCE_GTC",
    )
    request = manualorderservicepb.SubmitManualOrderRequest(order=order, reason="by hand")
    with pytest.raises(PermissionDenied, match="E_LIVE_GUARD"):
        await live.by_hand.SubmitManualOrder(request)
    assert not live.sent()

    live.exchange.quote("BTCUSDT", "97", "98")
    done = await live.qmtl(*buy, "--id", "bought", typed="acc\n")
    assert done.exit_code == 0, done.output
    await eventually(lambda: live.sent() == [Status.FILLED], WAIT_S)
    await eventually(live.holds("0.0999"), WAIT_S)
    flatten = ("trade", "flatten", "acc", "--reason", "enough")
    assert (await live.qmtl(*flatten, typed="no\n")).exit_code == 1
    assert live.sent() == [Status.FILLED]
    done = await live.qmtl(*flatten, typed="acc\n")
    assert done.exit_code == 0, done.output
    await eventually(lambda: live.sent() == [Status.FILLED, Status.FILLED], WAIT_S)
    await eventually(live.holds("0"), WAIT_S)
