"""Why a live run earned more or less than its replay: terms that add up to the gap without residual, in decimals.

Of an order with side e, quantity q, price p and arrival mark a, and a last mark M: PnL = sum e q (M - p) - fees +
funding. Live less replay is UNMATCHED + FILL + ARRIVAL + EXECUTION + FEES + FUNDING + MARK. A mean price may have no
end as a decimal: FILL is then rounded at the 18th place and ARRIVAL takes what it left, so that nothing is lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal, Inexact, InvalidOperation, localcontext

from qmtl.core.errors import NotReady
from worldservice.campaigns.domain.divergence.pairing import ZERO, Pair, Pairing, TradedOrder

EXACT = Context(prec=200, rounding=ROUND_HALF_EVEN, traps=[Inexact, InvalidOperation])
_ROUNDED = Context(prec=200, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation])
PLACE = Decimal("1E-18")


@dataclass(frozen=True, slots=True)
class Marks:
    """Of one symbol: the last mark of each side, the position that both start from and the value of a point."""

    live: Decimal
    replay: Decimal
    start: Decimal = ZERO
    multiplier: Decimal = Decimal(1)


@dataclass(frozen=True, slots=True)
class Terms:
    """The gap between live and replay, in the account's currency; positive: live earned more."""

    unmatched: Decimal = ZERO
    fill: Decimal = ZERO
    arrival: Decimal = ZERO
    execution: Decimal = ZERO
    fees: Decimal = ZERO
    funding: Decimal = ZERO
    mark: Decimal = ZERO

    @property
    def total(self) -> Decimal:
        """Their sum."""
        with localcontext(EXACT):
            return sum(astuple(self), ZERO)


@dataclass(frozen=True, slots=True)
class Attribution:
    """What both sides earned over the window, and why they differ. `residual` is 0."""

    live_pnl: Decimal
    replay_pnl: Decimal
    terms: Terms

    @property
    def residual(self) -> Decimal:
        """The gap that no term explains."""
        with localcontext(EXACT):
            return self.live_pnl - self.replay_pnl - self.terms.total


def attribute(
    pairing: Pairing, marks: Mapping[str, Marks], funding_live: Decimal = ZERO, funding_replay: Decimal = ZERO
) -> Attribution:
    """Both profits and the terms of their difference. Raises NotReady (E_MARK_MISSING): symbols without a mark."""
    live = [*(pair.live for pair in pairing.pairs), *pairing.only_live]
    replay = [*(pair.replay for pair in pairing.pairs), *pairing.only_replay]
    missing = sorted({order.symbol for order in (*live, *replay) if order.quantity and order.symbol not in marks})
    if missing:
        raise NotReady("E_MARK_MISSING", f"no last mark of {', '.join(missing)}", hint="replay the whole window again")
    with localcontext(EXACT):
        return _attribution(pairing, marks, (live, replay), (funding_live, funding_replay))


def _attribution(
    pairing: Pairing,
    marks: Mapping[str, Marks],
    sides: tuple[list[TradedOrder], list[TradedOrder]],
    funding: tuple[Decimal, Decimal],
) -> Attribution:
    live, replay = sides
    fees_live, fees_replay = (sum((order.fee for order in side), ZERO) for side in sides)
    started = sum((one.start * one.multiplier * one.live for one in marks.values()), ZERO)
    began = sum((one.start * one.multiplier * one.replay for one in marks.values()), ZERO)
    live_pnl = started + sum((_gain(order, marks, live=True) for order in live), ZERO) - fees_live + funding[0]
    replay_pnl = began + sum((_gain(order, marks, live=False) for order in replay), ZERO) - fees_replay + funding[1]
    position: dict[str, Decimal] = {symbol: one.start for symbol, one in marks.items()}
    for order in replay:
        if order.quantity:
            position[order.symbol] += order.sign * order.quantity
    parts = [_of_pair(pair, marks) for pair in pairing.pairs]
    terms = Terms(
        unmatched=sum((_gain(order, marks, live=True) for order in pairing.only_live), ZERO)
        - sum((_gain(order, marks, live=True) for order in pairing.only_replay), ZERO),
        fill=sum((part[0] for part in parts), ZERO),
        arrival=sum((part[1] for part in parts), ZERO),
        execution=sum((part[2] for part in parts), ZERO),
        fees=fees_replay - fees_live,
        funding=funding[0] - funding[1],
        mark=sum(
            (
                held * marks[name].multiplier * (marks[name].live - marks[name].replay)
                for name, held in position.items()
            ),
            ZERO,
        ),
    )
    return Attribution(live_pnl, replay_pnl, terms)


def _gain(order: TradedOrder, marks: Mapping[str, Marks], *, live: bool) -> Decimal:
    """e (q M - q p) times the multiplier, before fees; at the mark of the live side or of the replay."""
    if not order.quantity:
        return ZERO
    known = marks[order.symbol]
    mark = known.live if live else known.replay
    return order.sign * known.multiplier * (order.quantity * mark - order.notional)


def _of_pair(pair: Pair, marks: Mapping[str, Marks]) -> tuple[Decimal, Decimal, Decimal]:
    """FILL, ARRIVAL and EXECUTION of one pair; an arrival mark that nobody knows is the replay's price."""
    live, replay = pair.live, pair.replay
    if not live.quantity and not replay.quantity:
        return ZERO, ZERO, ZERO
    known, sign = marks[live.symbol], live.sign
    arrival = _arrival(pair)
    price = _mean(replay) if replay.quantity else arrival
    fill = _scaled(sign, known, (live.quantity - replay.quantity) * (known.live - price))
    execution = sign * known.multiplier * (live.quantity * arrival - live.notional)
    gap = (live.quantity * known.live - live.notional) - (replay.quantity * known.live - replay.notional)
    return fill, sign * known.multiplier * gap - fill - execution, execution


def _arrival(pair: Pair) -> Decimal:
    for known in (pair.live.arrival, pair.replay.arrival):
        if known is not None:
            return known
    return _mean(pair.replay if pair.replay.quantity else pair.live)


def _mean(order: TradedOrder) -> Decimal:
    return _ROUNDED.divide(order.notional, order.quantity).quantize(PLACE, context=_ROUNDED)


def _scaled(sign: int, known: Marks, value: Decimal) -> Decimal:
    return (sign * known.multiplier * value).quantize(PLACE, context=_ROUNDED)
