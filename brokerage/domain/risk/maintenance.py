"""What the positions of an account must keep of its equity, how near it is to having too little, and the price of each
symbol at which it has.

Where the tiers of an instrument set its margin, the positions of all owners in it count as one, netted: that is what
an exchange sees. The account is closed by force once its equity is no more than that margin (Binance: margin ratio
100 %); under other margins once these are above 110 % of equity (Lean, DefaultMarginCallModel).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from fractions import Fraction

from brokerage.domain.accounts.position import Position, position_value, position_worth
from brokerage.domain.market.instrument import Instrument
from brokerage.domain.models.buying_power.margins import Held
from brokerage.domain.models.buying_power.model import BuyingPower
from brokerage.domain.money import floor_to, money_text
from brokerage.domain.orders.order import Owner
from brokerage.domain.risk.account_view import AccountView

BUFFER_PERCENT = 110
"""Share of equity that used margin may reach before positions are closed, where no tiers set it. Source: Lean."""

WARNED_PERCENT = 95
"""Share of the margin that closes positions from which the account is warned: Lean's 5 % that remain."""


class MarginState(Enum):
    """WARNED: 5 % or less remains to where positions are closed. CALLED: they are."""

    COVERED = "COVERED"
    WARNED = "WARNED"
    CALLED = "CALLED"


@dataclass(frozen=True, slots=True)
class HeldMargin:
    """One owner's position, its margin and open profit in base currency, and how much of it frees that margin."""

    owner: Owner
    instrument: Instrument
    position: Position
    margin: int
    profit: int
    closable: int


@dataclass(frozen=True, slots=True)
class AccountMargin:
    """Equity and the margin in use, in base currency, and the positions that use it, the biggest loser first."""

    currency: str
    equity: int
    used: int
    held: tuple[HeldMargin, ...]
    by_tiers: bool

    @property
    def state(self) -> MarginState:
        """How near the account is to the closing of its positions."""
        if not self.held:
            return MarginState.COVERED
        percent = 100 if self.by_tiers else BUFFER_PERCENT
        most = max(self.equity, 0) * percent
        spent = self.used * 100
        if self.equity <= self.used and (spent >= most if self.by_tiers else spent > most):
            return MarginState.CALLED
        return MarginState.WARNED if spent * 100 >= most * WARNED_PERCENT else MarginState.COVERED

    @property
    def warning(self) -> str:
        """That positions are about to be closed."""
        return f"MARGIN_WARNING: {self.numbers}: 5 % or less is left to where positions are closed"

    @property
    def numbers(self) -> str:
        """For a sentence."""
        owned, taken = (f"{money_text(self.currency, amount)} {self.currency}" for amount in (self.equity, self.used))
        return f"equity is {owned}, margin in use {taken}"


def account_margin(view: AccountView) -> AccountMargin | None:
    """The margin of an account at its marks; None on CASH, which owes nothing. A position without a price, or whose
    margin cannot be valued, is not counted.
    """
    if view.profile.buying_power is BuyingPower.CASH:
        return None
    held = sorted(_held(view), key=lambda one: (one.profit, one.instrument.symbol))
    by_tiers = any(view.profile.funding.by_tiers(one.instrument) for one in held)
    used = sum(one.margin for one in held)
    return AccountMargin(view.base_currency, view.equity(), used, tuple(held), by_tiers)


def liquidation_prices(view: AccountView) -> dict[str, Decimal]:
    """By symbol, the price at which the account has no more equity than its margin, all other prices as they are:
    rounded toward the market to four places more than the tick has.

    Only where it is defined: on MARGIN, where the instrument's tiers set its margin, the owners' positions do not net
    to nothing, and all that the account has is priced and in its base currency. Absent too where no price above 0 does.
    """
    margin = account_margin(view)
    if margin is None or not margin.by_tiers or not _is_plain(view):
        return {}
    found: dict[str, Decimal] = {}
    for symbol in dict.fromkeys(one.instrument.symbol for one in margin.held):
        mine = [one for one in margin.held if one.instrument.symbol == symbol]
        instrument, mark = mine[0].instrument, view.marks[symbol].price
        net = sum(one.position.quantity for one in mine)
        if not net or not view.profile.funding.by_tiers(instrument):
            continue
        worth = sum(position_worth(instrument, one.position, mark) for one in mine)
        rest = margin.equity - worth - (margin.used - sum(one.margin for one in mine))
        cost = sum(one.position.cost for one in mine) if instrument.pays_profit_only else 0
        notional = instrument.margin_tiers.liquidated_at(rest, 1 if net > 0 else -1, cost)
        if notional is not None:
            up, down = instrument.value_ratio
            found[symbol] = instrument.price_near(notional * Fraction(down, abs(net) * up), up=net > 0)
    return found


def _is_plain(view: AccountView) -> bool:
    balances = (*view.cash.items(), *view.unsettled.items())
    if any(amount and currency != view.base_currency for currency, amount in balances):
        return False
    return all(
        symbol in view.marks and book.ledger.instruments[symbol].quote == view.base_currency
        for book in view.books.values()
        for symbol, position in book.ledger.positions.items()
        if position.quantity
    )


def _held(view: AccountView) -> Iterator[HeldMargin]:
    together: dict[str, list[tuple[Owner, Instrument, Position]]] = {}
    for owner, book in view.books.items():
        for symbol, position in book.ledger.positions.items():
            if position.quantity and symbol in view.marks:
                together.setdefault(symbol, []).append((owner, book.ledger.instruments[symbol], position))
    for symbol, rows in together.items():
        if view.profile.funding.by_tiers(rows[0][1]):
            yield from _netted(view, symbol, rows)
            continue
        for owner, instrument, position in rows:
            margin = _kept(view, instrument, position.quantity)
            profit = _profit(view, instrument, position)
            if margin is not None and profit is not None:
                yield HeldMargin(owner, instrument, position, margin, profit, abs(position.quantity))


def _netted(view: AccountView, symbol: str, rows: list[tuple[Owner, Instrument, Position]]) -> Iterator[HeldMargin]:
    """The margin of a net position, shared by the owners on its side in proportion to what they hold: as much of each
    is closable, in whole lots. The others' positions use none, and closing one of them would take more.
    """
    net = sum(position.quantity for _, _, position in rows)
    margin = _kept(view, rows[0][1], net)
    left = sum(abs(position.quantity) for _, _, position in rows if position.quantity * net > 0)
    closable = abs(net)
    for owner, instrument, position in rows:
        profit = _profit(view, instrument, position)
        if margin is None or profit is None:
            continue
        if position.quantity * net <= 0:
            yield HeldMargin(owner, instrument, position, 0, profit, 0)
            continue
        quantity = abs(position.quantity)
        mine, part = margin * quantity // left, closable * quantity // left
        if quantity < left:  # whole lots, and what they leave is of the next: no venue takes a part of one
            part = floor_to(part, instrument.lot)
        part = min(part, quantity)
        margin, closable, left = margin - mine, closable - part, left - quantity
        yield HeldMargin(owner, instrument, position, mine, profit, part)


def _kept(view: AccountView, instrument: Instrument, quantity: int) -> int | None:
    mark = view.marks[instrument.symbol]
    held = Held(instrument, quantity, instrument.notional(mark.price, quantity), mark.at_ns)
    return view.in_base(view.profile.funding.maintenance(held), instrument.quote)


def _profit(view: AccountView, instrument: Instrument, position: Position) -> int | None:
    value = position_value(instrument, position, view.marks[instrument.symbol].price)
    return view.in_base(value - position.cost, instrument.quote)
