"""What a closing decides: names, prices and pace of its orders, and which of the strategy's are in its way. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from brokerage.domain.market.instrument import Instrument
from brokerage.domain.money import floor_to
from brokerage.domain.orders.denials import FINAL, Denial
from brokerage.domain.orders.order import DEMOTION, MARGIN_CALL, OPERATOR, Order, OrderShare, Owner, Side, order_id
from brokerage.domain.orders.record import OrderRecord
from brokerage.domain.orders.states import OrderType, TimeInForce
from brokerage.orders.entry.manual import closing_quantity
from qmtl.core.instants import NS_PER_S
from qmtl.core.modes import ExecutionDomain

PAUSE_NS, PAUSE_MAX_NS = 5 * NS_PER_S, 300 * NS_PER_S
"""How long the next order waits after one that failed; twice as long after each."""
LASTING = FINAL - {Denial.SHORT_UNAVAILABLE}
"""Denials of an order that none of as much is spared later. What else works in a symbol decides on short sales."""
BPS = 10_000
NAMED_LETTERS = 16


@dataclass(frozen=True, slots=True)
class Closing:
    """What is to be closed: what a strategy holds on one side of zero, in accounts of one domain."""

    world_id: str
    strategy_id: str
    holds: Side  # BUY: positions above 0; SELL: below
    domain: ExecutionDomain
    closing_id: str
    slippage_bps: Decimal

    def owner(self, account: str) -> Owner:
        """The strategy in one of its accounts."""
        return Owner(account, self.world_id, self.strategy_id)

    def holds_some(self, quantity: int) -> bool:
        """Whether a position is one to close."""
        return quantity * self.holds.sign > 0

    def order_name(self, account: str, symbol: str, attempt: int) -> str:
        """The client_order_id of an attempt: whoever asks, it names the same order."""
        named = order_id(self.owner(account), f"{self.closing_id}/{self.holds.value}")[:NAMED_LETTERS]
        return f"demotion-{named}-{symbol}-{attempt}"


def worst_price(instrument: Instrument, mark: int, slippage_bps: Decimal, *, buys: bool) -> Decimal:
    """The worst price within the slippage of a mark, at a tick that is not beyond it, and at one tick or more."""
    numerator, denominator = slippage_bps.as_integer_ratio()
    whole = BPS * denominator
    scaled = mark * (whole + numerator if buys else whole - numerator)
    ticks = scaled // (whole * instrument.tick) if buys else -(-scaled // (whole * instrument.tick))
    return instrument.price_decimal(max(ticks, 1) * instrument.tick)


def quantity_of(instrument: Instrument, held: int) -> Decimal:
    """What one order closes of a position: all lots, or as many as one order may have; the rest is the next one's."""
    most = floor_to(instrument.quantity_max, instrument.lot)
    return closing_quantity(instrument, min(abs(held), most) if most else held)


def closing_order(closing: Closing, account: str, instrument: Instrument, held: int, mark: int, attempt: int) -> Order:
    """The attempt's order: reduce-only, within the slippage of the mark, done at once or not at all."""
    side = Side.SELL if held > 0 else Side.BUY
    return Order(
        closing.owner(account),
        closing.order_name(account, instrument.symbol, attempt),
        instrument.symbol,
        side,
        quantity_of(instrument, held),
        type=OrderType.LIMIT,
        tif=TimeInForce.IOC,
        limit_price=worst_price(instrument, mark, closing.slippage_bps, buys=side is Side.BUY),
        reduce_only=True,
        venue="",
        tags=(DEMOTION,),
    )


def in_the_way(
    closing: Closing, orders: Iterable[OrderRecord], held: Mapping[str, int], *, may_turn: bool
) -> list[OrderRecord]:
    """Open orders that could open a position, or add to one, and netted ones with a share that could add to the side.

    Of the side that is closed what they may fill beyond what the strategy holds on the other side of zero, which they
    may take back. Of the other side all, unless the strategy may add there (`may_turn`): beside the closing order they
    would go through zero, for which it would be denied. What only reduces is left alone, as are orders of people.
    """
    room = {symbol: max(-quantity * closing.holds.sign, 0) for symbol, quantity in held.items()}
    found = []
    for record in orders:
        order = record.order
        if order.shares:
            if any(_adds_by(closing, order.owner.account, share) for share in order.shares):
                found.append(record)
            continue
        if order.reduce_only or not {DEMOTION, MARGIN_CALL, OPERATOR}.isdisjoint(order.tags):
            continue
        left = room.get(order.symbol, 0) - record.remaining
        if order.side is closing.holds and left >= 0:
            room[order.symbol] = left
        elif order.side is closing.holds or not may_turn:
            found.append(record)
    return found


def _adds_by(closing: Closing, account: str, share: OrderShare) -> bool:
    return share.owner(account) == closing.owner(account) and share.side is closing.holds and not share.reduce_only


def next_due_ns(attempts: Sequence[OrderRecord], quantity: Decimal) -> int | None:
    """When the next attempt, of so much, may be sent; None: never, as the newest was of as much, and broke a rule that
    no later moment lifts.
    """
    if not attempts:
        return 0
    newest = attempts[-1]
    if newest.denial in LASTING and newest.order.quantity == quantity:
        return None
    failed = 0
    for record in reversed(attempts):
        if record.filled:
            break
        failed += 1
    pause = min(PAUSE_NS << min(max(failed - 1, 0), 16), PAUSE_MAX_NS) if failed else 0
    return newest.created_ns + pause
