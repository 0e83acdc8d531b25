"""Compares an account with its venue until nothing is new: trades, orders, then balances and positions.

Safe at any moment and as often as wanted: what is booked is known by its key, so a pass that was killed is done again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import TypeVar

import structlog
from sqlalchemy import Connection

from brokerage.domain.market.instrument import AssetClass
from brokerage.domain.market.mark import SECOND_NS
from brokerage.domain.orders.record import OrderRecord
from brokerage.domain.orders.venue_order import order_at_venue
from brokerage.market.context import MarketContext
from brokerage.orders import store as orders_store
from brokerage.venues.listings import ListedOrder, ListedPayment, ListedTrade, ListedVenue
from brokerage.venues.reconcile import book, compare, store
from qmtl.core.clock import Clock
from qmtl.core.decimals import format_decimal
from qmtl.core.errors import Conflict, InvalidRequest
from qmtl.core.instants import to_ns
from qmtl.sql.database import Database

PASSES_MAX = 5
OVERLAP_MS = 60_000  # what each comparison reads again
LATE_MS = 86_400_000  # a trade may be listed so much later than one that came after it
LATE_EVERY_NS = 600 * SECOND_NS  # how often they are looked for where nothing differs
APART_S = 10.0  # between the two comparisons that make a transfer: a trade that is listed late comes first

T = TypeVar("T")

log = structlog.stdlib.get_logger("qmtl.brokerage.venues.reconcile")


@dataclass(slots=True)
class Found:
    """What a comparison has come to."""

    orders_resolved: int = 0
    fills_booked: int = 0
    differences: list[str] = field(default_factory=list)
    remainders: list[str] = field(default_factory=list)  # what the places of the books cannot hold of balances


class Reconciler:
    """Compares one account with its venue. One at a time."""

    def __init__(
        self,
        db: Database,
        market: MarketContext,
        venue: ListedVenue,
        account: str,
        clock: Clock,
        *,
        apart_s: float = APART_S,
    ) -> None:
        self._db = db
        self._market = market
        self._venue = venue
        self._account = account
        self._clock = clock
        self._apart_s = apart_s
        self._seen: dict[str, tuple[Decimal, float]] = {}  # what the last comparison could not explain, and since when
        self._unbooked: dict[ListedTrade, str] = {}  # trades that the books cannot hold, and why
        self.doing = ""  # how far a comparison has come, for people
        self._late_ns: int | None = None  # when trades were last looked for that are listed late

    async def reconcile(self) -> Found:
        """Book what is new and tell what differs. Raises Unavailable (E_VENUE_UNREACHABLE), Exhausted."""
        found, explained = Found(), False
        for number in range(1, PASSES_MAX + 1):
            self.doing = f"pass {number}: trades and orders"
            await self._catch_up(found)
            self.doing = f"pass {number}: balances"
            balances, positions = await self._venue.balances(), await self._positions()
            traded = await self._trades()  # orders alone move no balance
            found.fills_booked += traded
            if traded or balances != await self._venue.balances():
                continue
            there, moved = await self._beyond(balances, positions)
            if not explained and (compare.kept(there)[0] or moved):
                explained, self.doing = True, f"pass {number}: trades of a day, for what differs"
                if await self._explain(found):
                    continue
            await self._settle(balances, positions, found)
            break
        else:
            found.differences.append("the venue moves too fast to be compared: only its trades were booked")
        found.differences += self._unbooked.values()
        self.doing = ""
        return found

    async def _catch_up(self, found: Found) -> int:
        """Trades and orders, as the venue lists them now; how much was new."""
        booked = await self._trades()
        resolved = await self._orders(found)
        found.fills_booked += booked
        found.orders_resolved += resolved
        return booked + resolved

    async def _positions(self) -> dict[str, Decimal]:
        """Positions where contracts are traded: on spot they are balances, which are read already."""
        known = self._market.instruments.listed()
        if not any(one.asset_class is AssetClass.FUTURE for one in known):
            return {}
        return await self._venue.positions()

    async def _explain(self, found: Found) -> int:
        """Before a difference is believed: what was paid without a trade, and trades that are listed late."""
        paid_ms = await self._db.read(partial(store.paid_up_to, account_name=self._account))
        begun_ms, booked = await self._db.read(partial(store.begun_ms, account_name=self._account)), 0
        for paid in await self._venue.payments(max(paid_ms - LATE_MS, begun_ms)):
            booked += await self._write(partial(self._pay, paid))
        self._late_ns = None
        return booked + await self._catch_up(found)

    async def _trades(self) -> int:
        """Book trades. Each comparison reads a minute again; the first, one with a difference, and one every ten
        minutes a day: what a venue lists later than that is not found.
        """
        now_ns = to_ns(self._clock.now())
        late = self._late_ns is None or now_ns - self._late_ns >= LATE_EVERY_NS
        read_ms = await self._db.read(partial(store.read_up_to, account_name=self._account))
        begun_ms, booked = await self._db.read(partial(store.begun_ms, account_name=self._account)), 0
        trades = await self._venue.trades(max(read_ms - (LATE_MS if late else OVERLAP_MS), begun_ms))
        for trade in trades:
            booked += await self._book_or_tell(trade, trades)
        self._late_ns = now_ns if late else self._late_ns
        return booked

    async def _book_or_tell(self, trade: ListedTrade, trades: Sequence[ListedTrade]) -> bool:
        """Book a trade; whether it was new. One that the books cannot hold holds up no other, and is told until it can
        be booked.
        """
        try:
            await self._know(trade, trades)
            new = await self._write(partial(self._book, trade))
        except (InvalidRequest, Conflict) as refused:
            if trade not in self._unbooked:
                log.warning("trade_not_booked", account=self._account, symbol=trade.symbol, trade_id=trade.trade_id)
                await self._write(partial(self._tell_unbooked, trade, str(refused)))
            self._unbooked[trade] = f"trade {trade.trade_id} of {trade.symbol} cannot be booked: {refused}"
            return False
        for one in [one for one in self._unbooked if (one.place, one.trade_id) == (trade.place, trade.trade_id)]:
            if one == trade or one not in trades:  # it is listed with other content now
                del self._unbooked[one]
        return new

    def _tell_unbooked(self, trade: ListedTrade, why: str, conn: Connection, now_ns: int) -> None:
        store.tell_unbooked(
            conn, self._account, f"{trade.symbol} {trade.trade_id} of order {trade.number}: {why}", now_ns
        )

    def _pay(self, paid: ListedPayment, conn: Connection, now_ns: int) -> bool:
        return book.book_payment(conn, self._market, self._account, paid)

    def _book(self, trade: ListedTrade, conn: Connection, now_ns: int) -> bool:
        new = book.book_trade(conn, self._market, self._account, trade, now_ns)
        if new and trade.at_ms > store.read_up_to(conn, self._account):
            store.save_read(conn, self._account, trade.at_ms)
        return new

    async def _know(self, trade: ListedTrade, trades: Sequence[ListedTrade]) -> None:
        """See to it that the order of a trade is known."""
        if await self._db.read(lambda conn: store.order_of(conn, self._account, *trade.place)) is None:
            listed = await self._venue.listed(*trade.place) or compare.order_of_trade(trade, trades)
            await self._write(partial(self._adopt, listed))

    def _adopt(self, listed: ListedOrder, conn: Connection, now_ns: int) -> str:
        return book.adopt(conn, self._market, self._account, listed, now_ns)

    async def _orders(self, found: Found) -> int:
        """Take over what works there, and ask about what does not work there any more."""
        there: set[str] = set()
        for listed in await self._venue.working():
            if self._market.instruments.find(listed.symbol) is None:
                found.differences.append(f"order {listed.number} of {listed.symbol} works there: no such instrument")
                continue
            try:
                there.add(await self._write(partial(self._adopt, listed)))
            except (InvalidRequest, Conflict) as refused:  # one that the books cannot hold holds up no other
                text = f"order {listed.number} of {listed.symbol} works there and cannot be taken over: {refused}"
                found.differences.append(text)
        await self._tell_ended(there, found)
        resolved = 0
        for record in await self._db.read(self._open):
            # what has become of one that is being replaced is asked under its new id first, by who sent it
            if record.wanted is None and (record.id not in there or not record.acknowledged):
                resolved += await self._ask(record)
        return resolved

    async def _tell_ended(self, there: set[str], found: Found) -> None:
        """Tell of orders that work there and have ended here: they are not in anybody's limits."""
        known = await self._db.read(lambda conn: orders_store.records(conn, self._market.instruments, sorted(there)))
        for record in known:
            text = f"order {record.id} of {record.order.symbol} works there and is {record.state.value} here"
            if record.closed and text not in found.differences:
                found.differences.append(text)

    def _open(self, conn: Connection) -> list[OrderRecord]:
        """Open orders that the venue has, or may have. What is on its way may come yet: an order is asked about once no
        answer to it came.
        """
        open_orders = orders_store.open_records(conn, self._market.instruments, self._account)
        return [record for record in open_orders if record.acknowledged or (record.on_the_wire and record.unresolved)]

    async def _ask(self, record: OrderRecord) -> bool:
        order = order_at_venue(record, self._venue.traits.order_id_length_max)
        report = await self._venue.query(order)
        if report is None:
            return False
        return await self._write(lambda conn, now_ns: book.book_state(conn, self._market, self._account, report))

    async def _beyond(
        self, balances: dict[str, Decimal], positions: dict[str, Decimal]
    ) -> tuple[dict[str, Decimal], dict[str, Decimal]]:
        """What the venue has beyond the books: balances, and positions of contracts."""
        there = await self._db.read(lambda conn: compare.compared(conn, self._market, self._account, balances))
        moved = await self._db.read(lambda conn: compare.misplaced(conn, self._market, self._account, positions))
        return there, moved

    async def _settle(self, balances: dict[str, Decimal], positions: dict[str, Decimal], found: Found) -> None:
        """Tell what differs; what has differed by as much for a while, at each comparison, is a transfer: booked."""
        beyond, moved = await self._beyond(balances, positions)
        there, dust = compare.kept(beyond)
        now = self._clock.monotonic()
        since = {
            currency: seen[1] if (seen := self._seen.get(currency)) is not None and seen[0] == amount else now
            for currency, amount in there.items()
        }
        known = {
            currency for currency in there if currency in self._seen and self._seen[currency][0] == there[currency]
        }
        again = {currency: there[currency] for currency in known if now - since[currency] >= self._apart_s}
        self._seen = {name: (amount, since[name]) for name, amount in there.items() if name not in again}
        if again:
            await self._write(lambda conn, now_ns: compare.transfer(conn, self._market, self._account, again, now_ns))
        for symbol, quantity in sorted(moved.items()):
            found.differences.append(f"{symbol}: the venue holds {format_decimal(quantity)} beyond the books")
        for currency, amount in sorted(there.items()):
            booked = ", booked as a transfer" if currency in again else ""
            found.differences.append(f"{currency}: the venue has {format_decimal(amount)} beyond the books{booked}")
        for currency, amount in sorted(dust.items()):
            text = f"{currency}: {format_decimal(amount)} of the venue's balance is less than the books can hold"
            found.remainders.append(text)

    async def _write(self, act: Callable[[Connection, int], T]) -> T:
        now_ns = to_ns(self._clock.now())
        return await self._db.write(lambda conn: act(conn, now_ns))
