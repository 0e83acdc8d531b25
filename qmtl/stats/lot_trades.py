"""Round trips by lots, first in first out: each closing fill ends the oldest lots it takes off, one trade a lot.

Exact decimals. A trade's fees are the shares of its two fills by quantity; a fee in the asset is a sale, at the fill's
price, of what it withholds. A lot goes on in the shares that its own became, with the time of its entry; what is paid
in cash for shares, or for parts of a lot, is a trade. Everything adds up: the nets of all trades are the cash that
fills and companies made, once flat.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Context, Decimal, localcontext
from fractions import Fraction
from math import floor

from qmtl.core.fills import FillEvent
from qmtl.stats.trades import NO_MULTIPLIERS, ONE, ZERO, ConversionStep, ShareStep, SplitStep

EXACT = Context(prec=120)
"""Room for a quantity x price x multiplier of any instrument, so that nothing is rounded."""
FEE_UNIT = Decimal("1e-12")
"""Shares of a fee, or of the cost of shares that became others, are cut to this; what is left goes with the last."""


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
    """What is left of an entry; `fees` are its own yet. `cost` is the sum of its shares' prices, signed, where they
    became others; None: quantity x price.
    """

    quantity: Decimal
    price: Decimal
    time_ns: int
    fees: Decimal
    cost: Decimal | None = None

    @property
    def paid(self) -> Decimal:
        """The signed sum of its shares' prices."""
        return self.quantity * self.price if self.cost is None else self.cost

    def take(self, size: Decimal) -> tuple[Decimal, Decimal]:
        """Take so much off; the signed cost and the fees that go with it."""
        signed, whole = (size if self.quantity > 0 else -size), abs(self.quantity)
        cost = signed * self.price if self.cost is None else _share(self.cost, size, whole)
        fees = _share(self.fees, size, whole)
        self.quantity, self.fees = self.quantity - signed, self.fees - fees
        if self.cost is not None:
            self.cost -= cost
        return cost, fees


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
    steps: Iterable[ShareStep] = (),
    lot_sizes: Mapping[str, Decimal] = NO_MULTIPLIERS,
) -> LotTrades:
    """The trades of fills, which are in the order they were booked; each account has lots of its own.

    `currencies`: base and quote of each symbol. `multipliers`: the value of one unit per unit of price, 1 unless given.
    `steps`: splits and conversions of what an account held, in order; `lot_sizes`: the least quantities of the symbols
    in them, 1 unless given.
    """
    with localcontext(EXACT):
        books = _Books(multipliers, lot_sizes)
        waiting, other = deque(steps), dict[str, Decimal]()
        for number, fill in enumerate(fills):
            while waiting and waiting[0].fills_before == number:
                books.step(waiting.popleft())
            base, quote = currencies[fill.symbol]
            signed, fee = fill.quantity, ZERO
            if fill.fee_currency == quote:
                fee = fill.fee
            elif fill.fee_currency == base:
                signed, fee = fill.quantity - fill.fee, fill.fee * fill.price
            elif fill.fee:
                other[fill.fee_currency] = other.get(fill.fee_currency, ZERO) + fill.fee
            books.receive((fill.account, fill.symbol), OpenLot(signed, fill.price, fill.time_ns, fee), fill.time_ns)
        for step in waiting:
            books.step(step)
        return LotTrades(tuple(books.trades), books.left(), other)


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


class _Books:
    """Open lots by account and symbol, and the trades that came of them."""

    def __init__(self, multipliers: Mapping[str, Decimal], lot_sizes: Mapping[str, Decimal]) -> None:
        self.trades: list[LotTrade] = []
        self._multipliers, self._lot_sizes = multipliers, lot_sizes
        self._lots: dict[tuple[str, str], deque[OpenLot]] = {}

    def left(self) -> dict[str, tuple[OpenLot, ...]]:
        """The lots that are open, by symbol."""
        found: dict[str, tuple[OpenLot, ...]] = {}
        for (_, symbol), lots in self._lots.items():
            found |= {symbol: (*found.get(symbol, ()), *lots)} if lots else {}
        return found

    def receive(self, key: tuple[str, str], lot: OpenLot, at_ns: int) -> None:
        """Take a lot in: it ends the oldest of the other side, and is one for what is left of it."""
        symbol, lots = key[1], self._lots.setdefault(key, deque())
        multiplier = self._multipliers.get(symbol, ONE)
        while lot.quantity and lots and lots[0].quantity * lot.quantity < 0:
            first = lots[0]
            closing, price = min(abs(lot.quantity), abs(first.quantity)), first.price
            held = closing if first.quantity > 0 else -closing
            (entry, entry_fee), (exit_, exit_fee) = first.take(closing), lot.take(closing)
            gross, fees = -(entry + exit_) * multiplier, entry_fee + exit_fee
            self.trades.append(LotTrade(symbol, held, first.time_ns, price, at_ns, lot.price, gross, fees))
            if not first.quantity:
                lots.popleft()
        if lot.quantity:
            lots.append(lot)

    def step(self, step: ShareStep) -> None:
        """Do to the lots what a company did to the shares."""
        key = (step.account, step.symbol)
        old = self._lots.pop(key, None)
        if not old:
            return
        if isinstance(step, SplitStep):
            self._split(key, old, step)
        elif step.received:
            self._exchange(key, old, step)
        else:
            self._pay_out(old, step)

    def _split(self, key: tuple[str, str], old: deque[OpenLot], step: SplitStep) -> None:
        sizes = self._shared(old, step.symbol, step.ratio, abs(step.held))
        rest = sum(Fraction(lot.quantity) for lot in old) * step.ratio - Fraction(step.held)
        kept = [Fraction(1)] * len(sizes)
        if rest:
            parts = ((Fraction(size), Fraction(abs(lot.quantity)) * step.ratio) for lot, size in sizes)
            kept = [min(size / exact, Fraction(1)) for size, exact in parts]
        gone, _, fees = self._moved(key, sizes, kept, ONE)
        if rest:
            self._paid(old[0], step, _decimal(rest), gone, fees)

    def _exchange(self, key: tuple[str, str], old: deque[OpenLot], step: ConversionStep) -> None:
        sizes = self._shared(old, step.into, step.ratio, abs(step.received))
        value = self._multipliers.get(step.symbol, ONE) / self._multipliers.get(step.into, ONE)
        gone, whole, fees = self._moved((key[0], step.into), sizes, [step.kept] * len(sizes), value, at_ns=step.time_ns)
        if step.cash or gone or fees:
            self._paid(old[0], step, _decimal(Fraction(whole) * (1 - step.kept)), gone, fees)

    def _moved(
        self,
        key: tuple[str, str],
        sizes: list[tuple[OpenLot, Decimal]],
        kept: list[Fraction],
        value: Decimal,
        at_ns: int | None = None,
    ) -> tuple[Decimal, Decimal, Decimal]:
        """Let lots go on in so many other shares each, with a part of their cost; the cost that did not go with them,
        the signed quantity there was, and the fees that no lot is left for. What a lot that nothing is left of would
        take goes with the next.
        """
        gone = cost = fees = whole = ZERO
        for (lot, size), share in zip(sizes, kept, strict=True):
            part, whole, cost, fees = _part(lot.paid, share), whole + lot.quantity, cost, fees + lot.fees
            gone, cost = gone + lot.paid - part, cost + part
            if size:
                signed, carried = (size if lot.quantity > 0 else -size), cost * value
                plain = share == 1 and lot.cost is None and signed * lot.price == carried
                price = lot.price if plain else _decimal(Fraction(carried) / Fraction(signed))
                moved = OpenLot(signed, price, lot.time_ns, fees, None if plain else carried)
                self.receive(key, moved, lot.time_ns if at_ns is None else at_ns)
                cost = fees = ZERO
        if (cost or fees) and self._lots.get(key):
            last = self._lots[key][-1]
            last.cost, last.fees = last.paid + cost * value, last.fees + fees
            cost = fees = ZERO
        return gone + cost, whole, fees

    def _pay_out(self, old: deque[OpenLot], step: ConversionStep) -> None:
        """All lots end for cash, shared by quantity."""
        multiplier = self._multipliers.get(step.symbol, ONE)
        whole, cash = sum((lot.quantity for lot in old), ZERO), step.cash
        price = _decimal(Fraction(cash) / (Fraction(whole) * Fraction(multiplier)))
        for lot in old:
            part = _share(cash, abs(lot.quantity), abs(whole))
            cash, whole, gross = cash - part, whole - lot.quantity, part - lot.paid * multiplier
            entered = step.symbol, lot.quantity, lot.time_ns, lot.price
            self.trades.append(LotTrade(*entered, step.time_ns, price, gross, lot.fees))

    def _paid(self, first: OpenLot, step: ShareStep, quantity: Decimal, cost: Decimal, fees: Decimal) -> None:
        """A part that was paid in cash, as a trade from the oldest lot's entry on."""
        gross = step.cash - cost * self._multipliers.get(step.symbol, ONE)
        prices = [_decimal(Fraction(each) / Fraction(quantity)) if quantity else ZERO for each in (cost, step.cash)]
        self.trades.append(
            LotTrade(step.symbol, quantity, first.time_ns, prices[0], step.time_ns, prices[1], gross, fees)
        )

    def _shared(
        self, old: Iterable[OpenLot], symbol: str, ratio: Fraction, quantity: Decimal
    ) -> list[tuple[OpenLot, Decimal]]:
        """How many of the new shares each lot becomes: whole lots, in order, `quantity` in all."""
        lots, size = list(old), Fraction(self._lot_sizes.get(symbol, ONE))
        found, before, given = list[tuple[OpenLot, Decimal]](), Fraction(0), ZERO
        for place, lot in enumerate(lots, 1):
            before += Fraction(abs(lot.quantity))
            upto = quantity if place == len(lots) else _decimal(floor(before * ratio / size) * size)
            found.append((lot, upto - given))
            given = upto
        return found


def _share(amount: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    return amount if part == whole else (amount * part / whole).quantize(FEE_UNIT, ROUND_DOWN)


def _part(amount: Decimal, share: Fraction) -> Decimal:
    return _share(amount, Decimal(share.numerator), Decimal(share.denominator))


def _decimal(value: Fraction) -> Decimal:
    """Exact where twelve places are enough, else cut to them: quantities and prices for people."""
    return (Decimal(value.numerator) / Decimal(value.denominator)).quantize(FEE_UNIT, ROUND_DOWN).normalize()
