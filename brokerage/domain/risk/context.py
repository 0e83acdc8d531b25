"""What the pre-trade check may look at before it decides on an order."""

from __future__ import annotations

from dataclasses import dataclass

from brokerage.domain.accounts.position import Position
from brokerage.domain.market.instrument import Instrument
from brokerage.domain.market.mark import Mark
from brokerage.domain.money import RATE_ONE, money_text
from brokerage.domain.orders.order import Order, Owner, Side, SizedOrder
from brokerage.domain.orders.totals import OpenOrderTotals, reach
from brokerage.domain.risk.account_view import AccountView
from brokerage.domain.risk.limits import Limits
from qmtl.core.fast_init import fast_init


@fast_init
@dataclass(frozen=True, slots=True)
class RiskContext:
    """One order's surroundings before it: the owner's position and open orders in the symbol, and the account.

    `buys` and `sells` are the owner's open orders in the symbol, `open_orders` how many it has in all; `limits` are
    those that bind this order.
    """

    at_ns: int
    owner: Owner
    instrument: Instrument
    position: Position
    buys: OpenOrderTotals
    sells: OpenOrderTotals
    open_orders: int
    mark: Mark | None
    view: AccountView
    limits: Limits
    weight: int = RATE_ONE

    @property
    def held(self) -> int:
        """The signed quantity the owner holds of the symbol."""
        return self.position.quantity

    def totals(self, side: Side) -> OpenOrderTotals:
        """The owner's open orders of one side in the symbol."""
        return self.buys if side is Side.BUY else self.sells

    def reach(self, order: Order, sized: SizedOrder) -> int:
        """How far an order and what its side already works in the symbol may move the position: all may fill."""
        working = self.totals(order.side)
        reducing = working.reducing + (sized.quantity if order.reduce_only else 0)
        return reach(order.side, self.held, working.quantity + sized.quantity, reducing)

    def adds(self, order: Order, sized: SizedOrder) -> bool:
        """Whether an order, with what its side already works, could leave a larger position."""
        return increases(order.side, self.reach(order, sized), self.held)

    def price_of(self, sized: SizedOrder) -> int:
        """The price an order is valued at before it trades."""
        return sized.worst or (self.mark.price if self.mark else 0)

    def base_money(self, amount: int) -> str:
        """An amount in base currency, for a sentence. A limit that lets nothing be added reads as 0."""
        return f"{money_text(self.view.base_currency, max(amount, 0))} {self.view.base_currency}"

    def money(self, amount: int) -> str:
        """An amount in quote currency, for a sentence."""
        return f"{money_text(self.instrument.quote, amount)} {self.instrument.quote}"


def context_of(view: AccountView, order: Order, instrument: Instrument, at_ns: int, weight: int) -> RiskContext:
    """The surroundings of an order in an account."""
    book = view.book(order.owner)
    return RiskContext(
        at_ns=at_ns,
        owner=order.owner,
        instrument=instrument,
        position=book.ledger.position(order.symbol),
        buys=book.open_totals(order.symbol, Side.BUY),
        sells=book.open_totals(order.symbol, Side.SELL),
        open_orders=sum([totals.orders for totals in book.totals.values()]),
        mark=view.marks.get(order.symbol),
        view=view,
        limits=view.limits,
        weight=weight,
    )


def increases(side: Side, quantity: int, held: int) -> bool:
    """Whether an order could leave a position larger than it is, or on the other side."""
    return held * side.sign >= 0 or quantity > abs(held)
