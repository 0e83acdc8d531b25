"""Execution over the mesh: what each request of a decision asks of the services, and what it must not ask."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal

import pytest

from brokerage.domain.market.bars import bar_from_doubles
from brokerage.domain.orders.order import MARGIN_CALL, OPERATOR, Owner
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.broker.v1 import portfolio_pb2 as portfoliopb
from qmtl.broker.v1.account_pb2 import Account
from qmtl.core.clock import SystemClock
from qmtl.core.errors import NotReady
from qmtl.sdk.execution.port import (
    UNRESTRICTED,
    AskHeldPosition,
    AskOpenOrders,
    AskPermission,
    Cancel,
    HeldPosition,
    MarketOrder,
    OrderReply,
    Permission,
    Submit,
    Weights,
)
from qmtl.sdk.mesh.retrying import RetryingClient
from qmtl.sdk.mesh.session.account.portfolio import FollowedPortfolio
from qmtl.sdk.mesh.session.activation import FollowedActivation
from qmtl.sdk.mesh.session.execution import MeshExecution, session_market
from tests.sdk.market import walk
from tests.sdk.mesh.fakes import FakeMesh
from tests.sdk.mesh.samples import STEP_NS

BARS = walk(20, seed=3)
OWNER = Owner("account", "w", "s")
SYMBOL = "BTC-USD"


@dataclass
class Opened:
    mesh: FakeMesh
    activation: FollowedActivation
    execution: MeshExecution

    @property
    def now_ns(self) -> int:
        return self.mesh.watermark_ns

    async def buy(self, name: str, quantity: str = "0.1") -> OrderReply:
        reply = await self.execution.answer(Submit(MarketOrder(name, SYMBOL, Decimal(quantity), self.now_ns)))
        assert isinstance(reply, OrderReply)
        return reply

    def fill(self) -> None:
        """Fill what is open between two bars; nobody is told."""
        bar = bar_from_doubles(self.mesh.venue.instrument(SYMBOL), self.now_ns, STEP_NS, (1e4, 1e4, 1e4, 1e4, 9.0))
        self.mesh.show(self.mesh.venue.on_bar(SYMBOL, bar))

    async def open_orders(self) -> object:
        return await self.execution.answer(AskOpenOrders(SYMBOL, self.now_ns))

    async def held(self) -> HeldPosition:
        held = await self.execution.answer(AskHeldPosition(SYMBOL, self.now_ns))
        assert isinstance(held, HeldPosition)
        return held


@asynccontextmanager
async def opened(venue: str = "") -> AsyncIterator[Opened]:
    """Execution of one strategy, its portfolio followed."""
    mesh, activation = FakeMesh(BARS, 10), FollowedActivation()
    mesh.activate("s")
    activation.offer(mesh.activation)
    instrument = mesh.venue.instrument(SYMBOL)
    mesh.venue.on_bar(SYMBOL, bar_from_doubles(instrument, mesh.start_ns - STEP_NS, STEP_NS, (1e4, 1e4, 1e4, 1e4, 9.0)))
    retrying = RetryingClient.open(mesh.client, 5.0, SystemClock())
    portfolio = FollowedPortfolio(retrying.separate(), OWNER, venue_wait_s=0.2)
    following = asyncio.create_task(portfolio.follow())
    market = await session_market(retrying, Account(fee_rate="0.001", venue=venue), [SYMBOL])
    yield Opened(mesh, activation, MeshExecution(retrying, OWNER, activation, portfolio, market))
    following.cancel()


async def test_permission_is_what_the_activation_says_of_each_side() -> None:
    async with opened() as to:
        long_only = Permission(long=True, short=False, reduce_long=True, reduce_short=False)
        assert await to.execution.answer(AskPermission(SYMBOL)) == long_only
        to.mesh.activate("s", freeze=True)
        to.activation.offer(to.mesh.activation)
        frozen = await to.execution.answer(AskPermission(SYMBOL))
        assert isinstance(frozen, Permission)
        assert frozen.nothing
        assert frozen != UNRESTRICTED


async def test_weights_are_those_of_the_activation_and_stay_known_without_it() -> None:
    async with opened() as to:
        assert to.execution.weights() == Weights(Decimal("1.0"), Decimal(1))
        to.mesh.activate("s")
        to.mesh.activation.entries[0].weight = "0.25"
        to.activation.offer(to.mesh.activation)
        assert to.execution.weights() == Weights(Decimal("0.25"), Decimal(1))
        to.mesh.activate("other")
        to.activation.offer(to.mesh.activation)
        assert to.execution.weights() == Weights(Decimal("0.25"), Decimal(1))


async def test_only_open_orders_are_listed_however_many_were_made() -> None:
    async with opened() as to:
        for name in ("a", "b", "c"):
            await to.buy(name)
        to.mesh.orders["a"].view = orderpb.ORDER_VIEW_FILLED
        assert set(await to.open_orders()) == {"b", "c"}  # type: ignore[call-overload] # names of orders
        assert to.mesh.calls["ListOrders all"] == 0


async def test_after_a_cancel_the_portfolio_is_read_anew_and_else_taken_from_the_stream() -> None:
    async with opened() as to:
        await to.buy("a")
        await to.open_orders()
        assert (await to.held()).expected == 0
        assert to.mesh.calls["GetPortfolio"] == 0
        await to.execution.answer(Cancel("a", to.now_ns))
        assert await to.held() == HeldPosition(Decimal(0), Decimal(100_000), Decimal("0.00000001"), Decimal("0.01"))
        assert to.mesh.calls["GetPortfolio"] == 1
        assert await to.open_orders() == ()


async def test_at_an_exchange_what_was_filled_before_orders_were_listed_is_held() -> None:
    async with opened("main") as to:
        await to.buy("a")
        assert await to.open_orders() == ("a",)
        to.fill()
        assert await to.open_orders() == ()
        assert (await to.held()).expected == Decimal("0.1")


async def test_what_is_filled_between_a_cancel_and_the_book_counts_once() -> None:
    async with opened("main") as to:
        await to.buy("a")
        await to.open_orders()
        to.mesh.cancels_pend = True
        await to.execution.answer(Cancel("a", to.now_ns))
        assert (await to.held()).expected == Decimal("0.1")  # it may still bring it
        to.fill()
        assert (await to.held()).expected == Decimal("0.1")


@pytest.mark.parametrize(
    ("capital", "want"),
    [
        ({}, 100_000),
        ({"": "250"}, 250),
        ({"": "250", "s": "100.5"}, Decimal("100.5")),
        ({"": "250", "other": "100"}, 0),
        ({"": "0"}, 0),
    ],
)
async def test_orders_are_sized_by_capital_where_the_account_has_shares(capital: dict[str, str], want: Decimal) -> None:
    async with opened() as to:
        to.mesh.capital = [
            portfoliopb.AllocatedCapital(world_id="w", strategy_id=strategy, capital=amount)
            for strategy, amount in capital.items()
        ]
        assert (await to.held()).equity == want


@pytest.mark.parametrize("tag", [MARGIN_CALL, OPERATOR])
async def test_what_others_sent_for_it_is_not_its_to_cancel_and_is_expected(tag: str) -> None:
    async with opened() as to:
        for name in ("a", "b"):
            await to.buy(name)
        to.mesh.orders["b"].order.tags.append(tag)
        assert await to.open_orders() == ("a",)
        assert (await to.held()).expected == Decimal("0.1")


async def test_a_position_waits_for_the_venue_and_says_when_it_is_behind() -> None:
    async with opened() as to:
        with pytest.raises(NotReady, match="E_VENUE_BEHIND"):
            await to.execution.answer(AskHeldPosition(SYMBOL, to.now_ns + 1))


async def test_an_order_whose_answer_is_lost_is_one_order() -> None:
    async with opened() as to:
        to.mesh.breaks["SubmitOrder"] = 2
        assert await to.buy("a") == OrderReply()
        assert list(to.mesh.orders) == ["a"]


@pytest.mark.parametrize(
    ("denial", "reply"),
    [
        (orderpb.DENIAL_GATE_FROZEN, OrderReply("GATE_FROZEN")),
        (orderpb.DENIAL_LOT, OrderReply("LOT", final=True)),
    ],
)
async def test_a_denial_names_its_rule_and_whether_it_may_pass(denial: orderpb.Denial, reply: OrderReply) -> None:
    async with opened() as to:
        to.mesh.denials.append(denial)
        assert await to.buy("a") == reply
