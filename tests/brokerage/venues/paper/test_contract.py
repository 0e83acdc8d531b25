"""The paper venue is a venue."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest

from brokerage.domain.models.latency import Link
from brokerage.domain.orders.order import order_id as identity
from brokerage.domain.orders.reports import Outcome
from brokerage.domain.orders.states import OrderState
from brokerage.venues.contract_suite import VenueContract
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

    async def sent(self, name: str) -> str:
        await self.book.submit(order(name))
        assert await self.book.to_wire(name)
        return identity(OWNER, name)

    async def unheard(self, order_id: str) -> None:
        """Nobody has asked for an answer here."""

    async def fill(self) -> None:
        await self.book.show(bar(1))


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
            order_id = await rig.sent(name)
            market = replace(MARKET, link=link)
            answer = await PaperVenue(rig.book.db, market, SystemClock(), OWNER.account).submit(order_id)
            assert answer.outcome is Outcome.UNKNOWN
        assert await rig.book.state("o1") is OrderState.SUBMITTED
