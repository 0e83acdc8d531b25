"""The paper venue is a venue."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from decimal import Decimal

import pytest
from sqlalchemy import Connection

from brokerage.accounts import store as accounts_store
from brokerage.domain.models.latency import Link
from brokerage.domain.orders.order import OrderName
from brokerage.domain.orders.order import order_id as identity
from brokerage.domain.orders.reports import Outcome
from brokerage.domain.orders.states import OrderState, OrderType
from brokerage.domain.orders.venue_order import VenueOrder
from brokerage.domain.trading import commands
from brokerage.orders import journal
from brokerage.orders.working import load_orders
from brokerage.venues.contract_suite import VenueContract
from brokerage.venues.dispatch import outcomes
from brokerage.venues.paper.venue import PaperVenue
from brokerage.venues.port import Venue
from qmtl.core.clock import SystemClock
from tests.brokerage.samples import MARKET, OWNER, Book, bar, open_book, order

WIRE = replace(MARKET, link=Link(latency_ms=1))


@dataclass(frozen=True, slots=True)
class PaperRig:
    """An account of the paper venue over a wire."""

    book: Book
    venue: Venue

    async def sent(self, name: str) -> VenueOrder:
        await self.book.submit(order(name, type=OrderType.LIMIT, limit_price=Decimal(99)))
        assert await self.book.to_wire(name)
        return (await self._at_venue(identity(OWNER, name)))[0]

    async def unheard(self, order: VenueOrder) -> None:
        """Nobody has asked for an answer here."""

    async def heard(self, order: VenueOrder) -> None:
        await self.book.answer(order.order.client_order_id)

    async def wanted(self, order: VenueOrder) -> VenueOrder:
        name = OrderName(OWNER, order.order.client_order_id)
        await self.book.db.write(lambda conn: self._ask_half(conn, name, order.order_id))
        by = (await self._at_venue(order.order_id))[1]
        assert by is not None
        return by

    async def unwanted(self, order: VenueOrder) -> None:
        await self.book.cancel(order.order.client_order_id)

    async def wait(self) -> None:
        """It answers at once."""

    async def fill(self) -> None:
        await self.book.show(bar(1))

    async def _at_venue(self, order_id: str) -> tuple[VenueOrder, VenueOrder | None]:
        market = self.book.market
        found, by = await self.book.db.read(lambda conn: outcomes.orders_at_venue(conn, market, order_id, 32))
        assert found is not None
        return found, by

    def _ask_half(self, conn: Connection, name: OrderName, order_id: str) -> None:
        account = accounts_store.account(conn, OWNER.account, lock=True)
        _, book = load_orders(conn, self.book.market, account, name.owner, order_id)
        terms = book.record(order_id).terms
        half = replace(terms, quantity=terms.quantity // 2)
        event = commands.ask_replace(book, order_id, half, account.time(9, "AAPL"))
        journal.record(conn, account, [(book, event)])


@pytest.fixture
async def rig(database_url: str) -> AsyncIterator[PaperRig]:
    async with open_book(database_url, WIRE) as book:
        await book.open()
        await book.show(bar(0))
        yield PaperRig(book, PaperVenue(book.db, book.market, SystemClock(), OWNER.account))


class TestPaperVenue(VenueContract):
    """What every venue does."""

    async def test_an_answer_that_is_lost_or_comes_with_a_later_bar_is_unknown(self, rig: PaperRig) -> None:
        for name, link in (("o1", Link(latency_ms=1, answer_loss=10**8)), ("o2", Link(latency_bars=2))):
            sent = await rig.sent(name)
            market = replace(MARKET, link=link)
            answer = await PaperVenue(rig.book.db, market, SystemClock(), OWNER.account).submit(sent)
            assert answer.outcome is Outcome.UNKNOWN
        assert await rig.book.state("o1") is OrderState.SUBMITTED
