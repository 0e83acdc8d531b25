"""A trade that the books cannot hold is told, and holds up no other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa

from brokerage import schema as t
from brokerage.venues.reconcile.store import UNBOOKED
from tests.brokerage.venues.reconcile.live import OWNER, Live, living
from tests.brokerage.venues.reconcile.places import KRAKEN
from tests.exchange.core.values import Ask, Side


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[Live]:
    async with living(f"sqlite:///{tmp_path / 'store.db'}", place=KRAKEN) as found:
        yield found


def buy(live: Live, name: str) -> None:
    live.exchange.place("client", Ask("XBTUSD", Side.BUY, Decimal("0.1"), name))


def told(differences: list[str], reason: str) -> list[str]:
    return [text for text in differences if "cannot be booked" in text and reason in text]


async def test_a_trade_of_more_places_is_told_and_those_after_it_are_booked(live: Live) -> None:
    for name in ("web_1", "web_2"):
        buy(live, name)
    live.exchange.retell("client", 0, fee=Decimal("0.0123456789"))
    found = await live.reconciler.reconcile()
    assert found.fills_booked == 1
    assert len(told(found.differences, "E_DECIMAL")) == 1
    live.advance(3 * 86_400)  # it is not read again by now
    buy(live, "web_3")
    found = await live.compare(4)
    assert len(await live.booked()) == 2
    assert len(told(found.differences, "E_DECIMAL")) == 1


async def test_it_is_told_after_a_restart_and_no_more_once_it_can_be_booked(live: Live) -> None:
    buy(live, "web_1")
    fee = live.exchange.executions("client")[0].fee
    live.exchange.retell("client", 0, fee=Decimal("0.0123456789"))
    await live.reconciler.reconcile()
    live.restart()
    assert told((await live.reconciler.reconcile()).differences, "E_DECIMAL")
    log = t.audit_log.c
    kept = sa.select(log.detail).where(log.act == UNBOOKED, log.subject == OWNER.account)
    [said] = await live.db.read(lambda conn: conn.execute(kept).scalars().all())
    assert said.startswith("BTC/USD T")
    assert "E_DECIMAL" in said
    live.exchange.retell("client", 0, fee=fee)
    assert (await live.compare(3)).differences == []
    await live.require_books_of_the_exchange()


async def test_a_trade_that_is_listed_with_other_content_is_told_and_those_after_it_are_booked(live: Live) -> None:
    buy(live, "web_1")
    assert (await live.reconciler.reconcile()).differences == []
    live.exchange.retell("client", 0, price=Decimal(77))
    buy(live, "web_2")
    for booked in (1, 0, 0):
        found = await live.reconciler.reconcile()
        assert found.fills_booked == booked
        assert len(told(found.differences, "E_TRADE_ID_REUSED")) == 1


async def test_a_resting_order_of_more_places_is_told_and_those_after_it_are_taken_over(live: Live) -> None:
    for name in ("web_1", "web_2"):
        live.exchange.place("client", Ask("XBTUSD", Side.BUY, Decimal("0.1"), name, price=Decimal(10)))
    first, second = live.exchange.open_orders("client")
    first.ask = replace(first.ask, price=Decimal("10.1234567890123456789012345"))
    found = await live.reconciler.reconcile()
    [text] = [text for text in found.differences if "cannot be taken over" in text]
    assert "works there" in text
    assert "E_" in text
    assert [one.order.quantity for one in (await live.records()).values()] == [second.ask.quantity]
