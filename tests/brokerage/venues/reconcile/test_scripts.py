"""After any script of troubles, and a kill at any point, the books are the venue's: no order twice, no fill lost."""

from __future__ import annotations

import asyncio
import random
from decimal import Decimal
from pathlib import Path

import pytest

from brokerage.domain.orders.order import Side
from qmtl.core.errors import Conflict, NotReady, QmtlError
from qmtl.exchanges.connection import VenueRefused
from tests.brokerage.venues.reconcile.live import OWNER, Live, living
from tests.brokerage.venues.reconcile.places import BINANCE_USDM, KRAKEN, PLACES, Place
from tests.exchange.core.exchange import HOUSE
from tests.exchange.core.faults import Trouble
from tests.exchange.core.values import Ask, Refused
from tests.exchange.core.values import Side as ExchangeSide

SEEDS = range(10)
SOAK_SEEDS = range(10, 210)
STEPS = 14
TROUBLES = [one for one in Trouble if one is not Trouble.NONE and not one.silent]


class Script:
    """One random history of an account, the same for the same seed."""

    def __init__(self, live: Live, seed: int) -> None:
        self._live = live
        self._random = random.Random(seed)
        self._count = 0

    async def run(self) -> None:
        """Do one thing after the other, the exchange going on all the time."""
        acts = [
            self._order,
            self._order,
            self._cancel,
            self._replace,
            self._quote,
            self._quote,
            self._outsider,
            self._transfer,
        ]
        if self._live.place is BINANCE_USDM:
            acts += [self._fund, self._close_out]
        for _ in range(STEPS):
            await self._random.choice([*acts, self._trouble, self._trouble])()
            await self._work()

    async def _work(self) -> None:
        """Let the account work a while, and now and then kill what does; what it knew but has not stored is gone."""
        task = asyncio.create_task(self._drive())
        if self._random.random() < 0.5:
            self._kill_at(task, self._random.randrange(8), self._random.random() < 0.5)
        await asyncio.gather(task, return_exceptions=True)
        self._live.exchange.faults.witness = None
        if task.cancelled():
            self._live.restart()
        elif (error := task.exception()) is not None and not isinstance(error, QmtlError | VenueRefused):
            raise error

    def _kill_at(self, task: asyncio.Task[None], request: int, done: bool) -> None:
        left = [request]

        def witness(kind: str, after: bool) -> None:
            if after is done:
                left[0] -= 1
                if left[0] < 0:
                    task.cancel()

        self._live.exchange.faults.witness = witness

    async def _drive(self) -> None:
        await self._live.dispatch(2)
        self._live.advance(self._random.choice((0.0, 0.5, 1.4, 4.0)))
        if self._random.random() < 0.6:
            await self._live.exchange.faults.deliver()
        await self._live.reconciler.reconcile()

    async def _order(self) -> None:
        self._count += 1
        price = self._random.choice((None, str(self._random.randrange(95, 106))))
        side = self._random.choice(list(Side))
        await self._live.order(f"o{self._count}", side, f"0.{self._random.randrange(6, 40):02}", price)

    async def _cancel(self) -> None:
        mine = [name for name, record in (await self._live.records()).items() if record.order.owner == OWNER]
        if mine:
            await self._live.cancel(self._random.choice(mine))

    async def _replace(self) -> None:
        open_orders = [name for name, record in (await self._live.records()).items() if not record.closed]
        mine = [name for name in open_orders if not name.startswith("BTC")]
        if mine:
            quantity = f"0.{self._random.randrange(6, 50):02}"
            try:
                await self._live.replace(self._random.choice(mine), quantity=quantity)
            except (Conflict, NotReady):
                return  # it is on its way, or something else was asked of it

    async def _quote(self) -> None:
        bid = self._random.randrange(94, 105)
        self._live.exchange.quote(
            self._live.place.btc_id, str(bid), str(bid + 1), f"0.{self._random.randrange(2, 30):02}"
        )

    async def _outsider(self) -> None:
        """Another client of the same account: its own order, or the end of one that works."""
        exchange = self._live.exchange
        mine = exchange.open_orders("client")
        if mine and self._random.random() < 0.4:
            exchange.cancel(self._random.choice(mine))
            return
        self._count += 1
        side = self._random.choice(list(ExchangeSide))
        price = self._random.choice((None, exchange.last.get(self._live.place.btc_id)))
        asked = Ask(self._live.place.btc_id, side, self._quantity(), f"web_{self._count}", price)
        try:
            exchange.place("client", asked)
        except Refused:
            return

    def _quantity(self) -> Decimal:
        return Decimal(self._random.randrange(6, 30)) / 100

    async def _transfer(self) -> None:
        asset = self._random.choice((self._live.place.money, "BNB"))
        self._live.exchange.transfer("client", asset, str(self._random.randrange(1, 99)))

    async def _fund(self) -> None:
        self._live.exchange.fund(self._live.place.btc_id, self._random.choice(("0.0001", "-0.0003")))

    async def _close_out(self) -> None:
        """A liquidation, or a deleveraging, that nobody asked for."""
        exchange, symbol = self._live.exchange, self._live.place.btc_id
        if exchange.accounts["client"].held(symbol):
            self._count += 1
            name = self._random.choice((f"autoclose-{self._count}", f"adl_autoclose{self._count}"))
            exchange.close_out("client", symbol, name)

    async def _trouble(self) -> None:
        request = self._random.choice(self._live.place.requests)
        self._live.exchange.faults.plan(request, self._random.choice(TROUBLES))


async def play(url: str, seed: int, place: Place) -> None:
    """One script, its end, and the comparison."""
    async with living(url, place=place) as live:
        if seed % 3 == 0:  # fees in a third currency, of which there is enough
            live.exchange.transfer("client", "BNB", "100")
            live.exchange.accounts["client"].fee_asset = "BNB" if place is not KRAKEN else place.money
        script = Script(live, seed)
        await script.run()
        live.exchange.faults.clear()
        await live.exchange.faults.deliver()
        found = await live.settle()
        assert found.differences == []
        assert HOUSE not in {order.account for order in live.exchange.open_orders("client")}
        await live.require_books_of_the_exchange()


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("seed", SEEDS)
async def test_the_books_are_those_of_the_venue(tmp_path: Path, seed: int, place: Place) -> None:
    await play(f"sqlite:///{tmp_path / 'store.db'}", seed, place)


@pytest.mark.soak
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("seed", SOAK_SEEDS)
async def test_the_books_are_those_of_the_venue_after_many_scripts(tmp_path: Path, seed: int, place: Place) -> None:
    await play(f"sqlite:///{tmp_path / 'store.db'}", seed, place)
