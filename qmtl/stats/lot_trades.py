"""Round trips by lots, first in first out: each closing fill ends the oldest lots it takes off, one trade a lot.

Exact decimals. A trade's fees are the shares of its two fills by quantity; a fee in the asset is a sale, at the fill's
price, of what it withholds. Everything adds up: the nets of all trades are the cash the fills made, once flat.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Context, Decimal, localcontext

from qmtl.core.fills import FillEvent
from qmtl.stats.trades import NO_MULTIPLIERS, ONE, ZERO

EXACT = Context(prec=120)
"""Room for a quantity x price x multiplier of any instrument, so that nothing is rounded."""
FEE_UNIT = Decimal("1e-12")
"""Shares of a fee are cut to this; what is left over goes with the last share."""


@dataclass(frozen=True, slots=True)
class LotTrade:
    """One lot from its entry to its exit. `quantity` is signed: a short is negative. Amounts are in quote currency."""

    symbol: str
    quantity: Decimal
    entry_ns: int
    entry_price: Decimal
    exit_ns: int
    exit_price: Decimal
    gross: Decimal
    fees: Decimal

    @property
    def net(self) -> Decimal:
        """Profit after fees."""
        return EXACT.subtract(self.gross, self.fees)

    @property
    def held_ns(self) -> int:
        """How long it was held."""
        return self.exit_ns - self.entry_ns


@dataclass(slots=True)
class OpenLot:
    """What is left of an entry; `fees` are its own yet."""

    quantity: Decimal
    price: Decimal
    time_ns: int
    fees: Decimal


@dataclass(frozen=True, slots=True)
class LotTrades:
    """Trades in the order they ended, the lots left by symbol, and fees in currencies that no price is known of."""

    trades: tuple[LotTrade, ...]
    open_lots: Mapping[str, tuple[OpenLot, ...]]
    other_fees: Mapping[str, Decimal] = field(default_factory=dict)


def lot_trades(
    fills: Iterable[FillEvent],
    currencies: Mapping[str, tuple[str, str]],
    multipliers: Mapping[str, Decimal] = NO_MULTIPLIERS,
) -> LotTrades:
    """The trades of fills, which are in the order they were booked; each account has lots of its own.

    `currencies`: base and quote of each symbol. `multipliers`: the value of one unit per unit of price, 1 unless given.
    """
    with localcontext(EXACT):
        return _booked(fills, currencies, multipliers)


def excursions(
    trade: LotTrade, lows: Sequence[Decimal], highs: Sequence[Decimal], multiplier: Decimal = ONE
) -> tuple[Decimal, Decimal]:
    """The worst and the best open profit of a trade, before fees: MAE (0 or below) and MFE (0 or above).

    `lows` and `highs` are of the bars that lie within it; its own entry and exit count too.
    """
    prices = (trade.entry_price, trade.exit_price)
    low, high = min((*lows, *prices)), max((*highs, *prices))
    worst, best = (low, high) if trade.quantity > 0 else (high, low)
    with localcontext(EXACT):
        value = trade.quantity * multiplier
        return (worst - trade.entry_price) * value, (best - trade.entry_price) * value


def _booked(
    fills: Iterable[FillEvent], currencies: Mapping[str, tuple[str, str]], multipliers: Mapping[str, Decimal]
) -> LotTrades:
    books: dict[tuple[str, str], deque[OpenLot]] = {}
    trades: list[LotTrade] = []
    other: dict[str, Decimal] = {}
    for fill in fills:
        base, quote = currencies[fill.symbol]
        signed, fee = fill.quantity, ZERO
        if fill.fee_currency == quote:
            fee = fill.fee
        elif fill.fee_currency == base:
            signed, fee = fill.quantity - fill.fee, fill.fee * fill.price
        elif fill.fee:
            other[fill.fee_currency] = other.get(fill.fee_currency, ZERO) + fill.fee
        lots, multiplier = books.setdefault((fill.account, fill.symbol), deque()), multipliers.get(fill.symbol, ONE)
        trades += _book(lots, fill, signed, fee, multiplier)
    left: dict[str, tuple[OpenLot, ...]] = {}
    for (_, symbol), lots in books.items():
        left |= {symbol: (*left.get(symbol, ()), *lots)} if lots else {}
    return LotTrades(tuple(trades), left, other)


def _book(lots: deque[OpenLot], fill: FillEvent, signed: Decimal, fee: Decimal, multiplier: Decimal) -> list[LotTrade]:
    trades: list[LotTrade] = []
    while signed and lots and lots[0].quantity * signed < 0:
        lot = lots[0]
        closing = min(abs(signed), abs(lot.quantity))
        entry_fee, exit_fee = _share(lot.fees, closing, abs(lot.quantity)), _share(fee, closing, abs(signed))
        held = closing if lot.quantity > 0 else -closing
        gross = (fill.price - lot.price) * held * multiplier
        trades.append(
            LotTrade(fill.symbol, held, lot.time_ns, lot.price, fill.time_ns, fill.price, gross, entry_fee + exit_fee)
        )
        lot.quantity, lot.fees = lot.quantity - held, lot.fees - entry_fee
        signed, fee = signed + held, fee - exit_fee
        if not lot.quantity:
            lots.popleft()
    if signed:
        lots.append(OpenLot(signed, fill.price, fill.time_ns, fee))
    return trades


def _share(fee: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    return fee if part == whole else (fee * part / whole).quantize(FEE_UNIT, ROUND_DOWN)
