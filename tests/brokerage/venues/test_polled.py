"""What a venue of lists does where the account behind it does not answer, lags, or fills in part."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from decimal import Decimal

import pytest

from brokerage.domain.orders.events import Liquidity
from brokerage.domain.orders.order import Order, Owner, Side, order_id, venue_order_id
from brokerage.domain.orders.reports import Outcome
from brokerage.domain.orders.states import EventKind, OrderType
from brokerage.domain.orders.venue_order import VenueOrder
from brokerage.domain.orders.venue_traits import PAPER, VenueTraits
from brokerage.venues.listings import MS_NS, ListedOrder, ListedTrade, taken
from brokerage.venues.polled import PolledVenue
from qmtl.core.clock import VirtualClock
from qmtl.core.errors import Exhausted, NotFound, QmtlError, Unavailable
from qmtl.core.instants import to_ns
from qmtl.exchanges.connection import VenueRefused
from tests.support.clocks import START
from tests.support.waiting import eventually

OWNER = Owner("acc", "w1", "s1")
LOST = (Unavailable("E_VENUE_UNREACHABLE", "gone"), TimeoutError("late"), ConnectionResetError("cut"))


@dataclass(slots=True)
class Scripted:
    """An account whose next act or list may fail, before or after it was done."""

    clock: VirtualClock
    traits: VenueTraits = PAPER
    listed: dict[str, ListedOrder] = field(default_factory=dict)
    traded: list[ListedTrade] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    fails: Exception | None = None
    unread: Exception | None = None
    lags: bool = False  # a cancel is listed later

    async def submit(self, order: VenueOrder) -> None:
        self.sent.append(order.venue_order_id)
        if order.venue_order_id in self.listed:
            raise VenueRefused("duplicate id")
        if not isinstance(self.fails, (Exhausted, VenueRefused)):
            self.listed[order.venue_order_id] = taken(order, f"n{len(self.listed)}", self.now_ms())
        if self.fails is not None:
            raise self.fails

    async def cancel(self, order: VenueOrder) -> None:
        if self.fails is not None:
            raise self.fails
        found = self.listed[order.venue_order_id]
        if not self.lags:
            self.listed[found.client_id] = replace(found, kind=EventKind.CANCELED, at_ms=self.now_ms())

    async def orders(self) -> list[ListedOrder]:
        if self.unread is not None:
            raise self.unread
        return list(self.listed.values())

    async def trades(self, since_ms: int) -> list[ListedTrade]:
        if self.unread is not None:
            raise self.unread
        return self.traded[::-1]  # in any order, from any time on

    async def balances(self) -> dict[str, Decimal]:
        return {}

    async def positions(self) -> dict[str, Decimal]:
        return {"AAPL": sum((one.quantity for one in self.traded), Decimal(0))}

    def fill(self, name: str, quantity: int) -> None:
        """Trade so much of an order."""
        one, now_ms = self.listed[name], self.now_ms()
        terms = one.number, one.symbol, one.side, Decimal(98), Decimal(quantity), Decimal(0), "USD", Liquidity.MAKER
        self.traded.append(ListedTrade(f"t{len(self.traded)}", *terms, now_ms))
        self.listed[name] = replace(one, filled=one.filled + quantity, at_ms=now_ms)

    def now_ms(self) -> int:
        return to_ns(self.clock.now()) // MS_NS


@pytest.fixture
def account() -> Scripted:
    return Scripted(VirtualClock(START))


@pytest.fixture
def venue(account: Scripted) -> PolledVenue:
    return PolledVenue(account, account.clock)


def order(quantity: int = 10, generation: int = 0, symbol: str = "AAPL") -> VenueOrder:
    """An order of so many shares in all, after so many replaces."""
    asked = Order(OWNER, "o1", symbol, Side.BUY, Decimal(quantity), OrderType.LIMIT, limit_price=Decimal(99))
    of = order_id(OWNER, "o1")
    return VenueOrder(of, venue_order_id(of, generation), asked)


@pytest.mark.parametrize("lost", LOST)
async def test_no_answer_is_unknown_and_nothing_is_sent_again(
    account: Scripted, venue: PolledVenue, lost: Exception
) -> None:
    account.fails = lost
    assert [(await venue.submit(order())).outcome for _ in range(2)] == [Outcome.UNKNOWN] * 2
    assert len(account.sent) == 1
    found = await venue.query(order())
    assert found is not None
    assert found.kind is EventKind.ACCEPTED
    assert (await venue.cancel(order())).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("refusal", [VenueRefused("no money"), Exhausted("E_RATE_LIMITED", "no money")])
async def test_what_was_not_done_is_refused_and_of_a_cancel_not_known_where_it_was_not_looked_at(
    account: Scripted, venue: PolledVenue, refusal: Exception
) -> None:
    account.fails = refusal
    answer = await venue.submit(order())
    assert answer.outcome is Outcome.REJECTED
    assert "no money" in answer.reason
    cancelled = (await venue.cancel(order())).outcome
    assert cancelled is (Outcome.UNKNOWN if isinstance(refusal, Exhausted) else Outcome.REJECTED)


async def test_an_id_that_is_refused_because_it_is_there_was_taken(account: Scripted, venue: PolledVenue) -> None:
    await venue.submit(order())
    again = PolledVenue(account, account.clock)
    assert (await again.submit(order())).outcome is Outcome.ACCEPTED
    account.unread = TimeoutError("late")
    assert (await PolledVenue(account, account.clock).submit(order())).outcome is Outcome.UNKNOWN


async def test_replaced_again_and_again_it_never_trades_more_than_is_wanted_in_all(
    account: Scripted, venue: PolledVenue
) -> None:
    first, second, third = order(10), order(8, 1), order(6, 2)
    await venue.submit(first)
    account.fill(first.venue_order_id, 3)
    assert (await venue.replace(first, second)).outcome is Outcome.ACCEPTED
    account.fill(second.venue_order_id, 1)
    assert (await venue.cancel(order(8, 1))).filled == 4
    account.listed[second.venue_order_id] = replace(account.listed[second.venue_order_id], kind=EventKind.ACCEPTED)
    assert (await venue.replace(second, third)).outcome is Outcome.ACCEPTED
    assert [(one.client_id, one.quantity) for one in await venue.working()] == [(third.venue_order_id, Decimal(2))]
    account.fill(third.venue_order_id, 1)
    answer = await venue.replace(third, order(5, 3))
    assert (answer.outcome, answer.reason) == (Outcome.REJECTED, "5 had filled by then")
    assert await venue.positions() == {"AAPL": Decimal(5)}


@pytest.mark.parametrize("trouble", ["lags", "unread", "lost"])
async def test_a_replace_sends_nothing_until_it_knows_what_had_filled(
    account: Scripted, venue: PolledVenue, trouble: str
) -> None:
    await venue.submit(order())
    account.lags = trouble == "lags"
    account.unread = TimeoutError("late") if trouble == "unread" else None
    account.fails = TimeoutError("late") if trouble == "lost" else None
    assert (await venue.replace(order(), order(5, 1))).outcome is Outcome.UNKNOWN
    assert len(account.sent) == 1


async def test_absence_counts_only_after_the_window_and_a_second(account: Scripted, venue: PolledVenue) -> None:
    for seconds in (0.0, 1.0, 0.9):
        account.clock.advance(seconds)
        assert await venue.query(order()) is None
    account.clock.advance(0.1)
    found = await venue.query(order())
    assert found is not None
    assert (found.kind, found.reason[:10]) == (EventKind.CANCELED, "NEVER_CAME")
    await venue.submit(order())  # it came late
    assert (await venue.query(order())) is not None
    account.listed.clear()
    assert await venue.query(order()) is None


async def test_it_is_told_of_a_change_of_the_lists_and_of_nothing_else(account: Scripted, venue: PolledVenue) -> None:
    await venue.submit(order())
    await venue.told()
    waiting = asyncio.ensure_future(venue.told())
    for _ in range(3):
        await eventually(lambda: waiting.done() or account.clock.sleepers == 1)
        assert not waiting.done()
        account.clock.advance(1)
    account.fill(order().venue_order_id, 1)
    async with asyncio.timeout(10):
        await waiting


async def test_the_stream_has_acceptances_fills_and_ends_in_their_order(account: Scripted, venue: PolledVenue) -> None:
    await venue.submit(order())
    account.fill(order().venue_order_id, 3)
    account.fill(order().venue_order_id, 2)
    await venue.cancel(order())
    kinds, quantities = [], []
    async with asyncio.timeout(10), aclosing(venue.stream()) as events:
        async for event in events:
            kinds.append(event.report.kind)
            quantities.append(event.report.fill and event.report.fill.quantity)
            if event.report.kind is EventKind.CANCELED:
                break
    assert kinds == [EventKind.ACCEPTED, EventKind.FILLED, EventKind.FILLED, EventKind.CANCELED]
    assert [one for one in quantities if one] == [3, 2]
    assert [fill.fill.trade_id for fill in await venue.fills_since(0)] == ["t0", "t1"]


async def test_trades_are_of_the_time_asked_for_oldest_first(account: Scripted, venue: PolledVenue) -> None:
    await venue.submit(order())
    for _ in range(3):
        account.clock.advance(1)
        account.fill(order().venue_order_id, 1)
    since_ms = account.traded[1].at_ms
    assert [trade.trade_id for trade in await venue.trades(since_ms)] == ["t1", "t2"]
    listed = await venue.listed("AAPL", "n0")
    assert listed is not None
    assert listed.filled == 3
    assert await venue.listed("MSFT", "n0") is None


async def test_lists_that_cannot_be_read_break_the_link_and_not_the_service(
    account: Scripted, venue: PolledVenue
) -> None:
    account.unread = ConnectionResetError("cut")
    for asked in (venue.query(order()), venue.working(), venue.trades(0), venue.told()):
        with pytest.raises(QmtlError, match=r"E_VENUE_UNREACHABLE.*cut"):
            await asked


async def test_a_fill_of_an_unknown_instrument_is_named(account: Scripted, venue: PolledVenue) -> None:
    await venue.submit(order(symbol="NOBODYS"))
    account.fill(order().venue_order_id, 1)
    with pytest.raises(NotFound, match="trade t0 is of NOBODYS"):
        await venue.fills_since(0)
