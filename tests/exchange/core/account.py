"""Money and positions of one account at the exchange."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal

from tests.exchange.core.values import ZERO, Execution, Income, Listing, Order, Refused, Side

PLACES = Decimal("0.00000001")


@dataclass(slots=True)
class Position:
    """A contract position: signed quantity and average entry."""

    quantity: Decimal = ZERO
    entry: Decimal = ZERO


@dataclass(slots=True)
class Account:
    """Balances are `total` and what open orders have `locked` of it; contracts are `positions` against the wallet, by
    symbol and side: BOTH, or with `hedged` LONG and SHORT apart.
    """

    name: str
    api_key: str
    secret: str
    maker: Decimal = Decimal("0.001")
    taker: Decimal = Decimal("0.001")
    fee_asset: str = ""  # empty: what is received; else fees are taken in this one, one for one
    total: defaultdict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    locked: defaultdict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    positions: defaultdict[tuple[str, str], Position] = field(default_factory=lambda: defaultdict(Position))
    incomes: list[Income] = field(default_factory=list)
    hedged: bool = False
    isolated: set[str] = field(default_factory=set)
    leverage: int = 20
    may_trade: bool = True  # what its key is allowed
    may_withdraw: bool = False

    def free(self, asset: str) -> Decimal:
        return self.total[asset] - self.locked[asset]

    def balances(self) -> tuple[tuple[str, Decimal, Decimal], ...]:
        held = sorted(asset for asset, amount in self.total.items() if amount or self.locked[asset])
        return tuple((asset, self.free(asset), self.locked[asset]) for asset in held)

    def lock(self, listing: Listing, order: Order) -> None:
        """Set aside what a spot order may take. Raises Refused."""
        asset, amount = _takes(listing, order, order.left)
        if amount > self.free(asset):
            raise Refused("BALANCE", "Account has insufficient balance for requested action.")
        self.locked[asset] += amount

    def unlock(self, listing: Listing, order: Order, quantity: Decimal) -> None:
        """Give back what was set aside for a part of an order."""
        asset, amount = _takes(listing, order, quantity)
        self.locked[asset] -= amount

    def fee(
        self, listing: Listing, side: Side, price: Decimal, quantity: Decimal, *, maker: bool
    ) -> tuple[Decimal, str]:
        """The fee of a trade and its asset, in whole units of its eighth place."""
        rate, worth = (self.maker if maker else self.taker), price * quantity
        if self.fee_asset:
            return (worth * rate).quantize(PLACES, ROUND_DOWN), self.fee_asset
        if listing.contract or side is Side.SELL:
            return (worth * rate).quantize(PLACES, ROUND_DOWN), listing.quote
        return (quantity * rate).quantize(PLACES, ROUND_DOWN), listing.base

    def book(self, listing: Listing, done: Execution) -> Decimal:
        """Take over one side of a trade; what a contract has realised by it."""
        realised = ZERO
        if listing.contract:
            realised = _move(self.positions[done.symbol, done.position_side], done).quantize(PLACES, ROUND_DOWN) + 0
            self.total[listing.quote] += realised
        else:
            self.total[listing.base] += done.quantity * done.side.sign
            self.total[listing.quote] -= done.quantity * done.price * done.side.sign
        self.total[done.fee_asset] -= done.fee
        return realised

    def earn(self, symbol: str, kind: str, asset: str, amount: Decimal, time_ms: int) -> None:
        """Money without a trade."""
        self.total[asset] += amount
        self.incomes.append(Income(len(self.incomes) + 1, symbol, kind, asset, amount, time_ms))

    def held(self, symbol: str) -> list[tuple[str, Position]]:
        """The sides of a symbol that are not flat."""
        return [(side, one) for (of, side), one in self.positions.items() if of == symbol and one.quantity]


def _takes(listing: Listing, order: Order, quantity: Decimal) -> tuple[str, Decimal]:
    """What a part of an order needs, and in which asset."""
    if listing.contract:
        return listing.quote, ZERO
    if order.ask.side is Side.BUY:
        return listing.quote, quantity * order.locked_at
    return listing.base, quantity


def _move(position: Position, done: Execution) -> Decimal:
    """Move a contract position; what it realised."""
    signed = done.quantity * done.side.sign
    closed = min(abs(position.quantity), done.quantity) if position.quantity * signed < 0 else ZERO
    realised = (done.price - position.entry) * closed * (1 if position.quantity > 0 else -1)
    after = position.quantity + signed
    if not after:
        position.entry = ZERO
    elif not closed:
        worth = position.entry * abs(position.quantity) + done.price * done.quantity
        position.entry = worth / abs(after)
    elif position.quantity * after < 0:
        position.entry = done.price
    position.quantity = after
    return realised
