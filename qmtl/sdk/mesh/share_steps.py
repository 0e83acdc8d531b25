"""Splits and conversions of what accounts held, from fills and payments as the brokerage lists them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction

from brokerage.domain.accounts.position import Position
from brokerage.domain.market.instrument import Instrument
from brokerage.domain.models.corporate import Conversion, convert, cost_kept, split
from brokerage.domain.money import currency_scale
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.broker.v1 import portfolio_pb2 as portfoliopb
from qmtl.core.decimals import from_scaled, parse_decimal, to_scaled
from qmtl.stats.trades import ConversionStep, ShareStep, SplitStep
from qmtl.wire.instants import ns_from_proto

Payments = Sequence[portfoliopb.Payment]


def share_steps(
    fills: Sequence[orderpb.Fill], payments: Payments, instruments: Mapping[str, Instrument]
) -> list[ShareStep]:
    """What became of shares that were held, by the place among the fills after which it did.

    All fills of the owners are needed, in the order in which they are reported; payments are those of the same owners,
    each account's in order. What one action did to several owners of an account is one step: they are netted here.
    """
    steps = list[ShareStep]()
    for account in sorted({payment.account for payment in payments}):
        mine = [(place, fill) for place, fill in enumerate(fills, 1) if fill.account == account]
        held = _Held(mine, instruments)
        acted: dict[tuple[str, int], list[portfoliopb.Payment]] = {}
        for payment in payments:
            if payment.account == account and payment.HasField("change"):
                acted.setdefault((payment.symbol, ns_from_proto(payment.time, "payment.time")), []).append(payment)
        steps += [held.step(at_ns, paid) for (_, at_ns), paid in acted.items()]
    return sorted(steps, key=lambda step: step.fills_before)


class _Held:
    """What each owner of one account holds, in lots of the instruments, brought forward by its fills."""

    def __init__(self, fills: Sequence[tuple[int, orderpb.Fill]], instruments: Mapping[str, Instrument]) -> None:
        self._waiting = deque(sorted(fills, key=lambda one: one[1].account_fill_number))
        self._instruments = instruments
        self._units: dict[tuple[str, str, str], int] = {}
        self._place = 0

    def step(self, at_ns: int, paid: Payments) -> ShareStep:
        """What payments of one action made of what was held before them."""
        first, change = paid[0], paid[0].change
        self._bring_to(first.account_fill_number)
        instrument = self._instruments[first.symbol]
        if change.symbol == first.symbol:
            ratio = Fraction(change.ratio)
            held = sum(self._split(one, instrument, ratio) for one in paid)
            cash = sum((parse_decimal(one.amount, "payment.amount") for one in paid), Decimal(0))
            shares = instrument.quantity_decimal(held)
            return SplitStep(first.symbol, self._place, at_ns, ratio, shares, cash, first.account)
        into = self._instruments[change.symbol] if change.symbol else None
        price = 0 if into is None else into.price_units(parse_decimal(change.price, "change.price"), "change.price")
        each = parse_decimal(change.cash_per_share, "change.cash_per_share")
        terms = Conversion(into, Fraction(change.ratio), instrument.price_units(each, "change.cash_per_share"), price)
        received, cash_units = map(sum, zip(*self._converted(paid, instrument, terms), strict=True))
        return ConversionStep(
            symbol=first.symbol,
            fills_before=self._place,
            time_ns=at_ns,
            into=change.symbol,
            received=(into or instrument).quantity_decimal(received),
            cash=from_scaled(cash_units, currency_scale(instrument.quote)),
            kept=Fraction(0) if into is None else cost_kept(into, price, received, cash_units),
            ratio=terms.ratio,
            account=first.account,
        )

    def _bring_to(self, number: int) -> None:
        while self._waiting and self._waiting[0][1].account_fill_number <= number:
            place, fill = self._waiting.popleft()
            instrument = self._instruments[fill.symbol]
            signed = 1 if fill.side == orderpb.ORDER_SIDE_BUY else -1
            received = signed * parse_decimal(fill.quantity, "fill.quantity")
            if instrument.withholds(fill.fee_currency):
                received -= parse_decimal(fill.fee or "0", "fill.fee")
            owner = (fill.world_id, fill.strategy_id, fill.symbol)
            self._units[owner] = self._units.get(owner, 0) + to_scaled(received, instrument.quantity_scale)
            self._place = max(self._place, place)

    def _split(self, payment: portfoliopb.Payment, instrument: Instrument, ratio: Fraction) -> int:
        owner = (payment.world_id, payment.strategy_id, payment.symbol)
        after = split(Position(self._units.get(owner, 0), 0, 0, 0, 0), instrument, ratio, 0).position.quantity
        self._units[owner] = after
        return after

    def _converted(self, paid: Payments, instrument: Instrument, terms: Conversion) -> Iterator[tuple[int, int]]:
        """Of each owner the new shares and the cash; without a cost, the cash of a contract is its value."""
        for payment in paid:
            owner = (payment.world_id, payment.strategy_id)
            units = self._units.pop((*owner, payment.symbol), 0)
            made = convert(Position(units, 0, 0, 0, 0), instrument, terms)
            if terms.into is not None:
                new = (*owner, terms.into.symbol)
                self._units[new] = self._units.get(new, 0) + made.quantity
            yield made.quantity, made.cash
