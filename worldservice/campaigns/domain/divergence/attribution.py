"""Why a live run earned more or less than its replay: terms that add up to the gap without residual, in decimals.

Of an order with side e, quantity q, price p and arrival mark a, and a last mark M: PnL = sum e q (M - p) - fees +
funding. Live less replay is UNMATCHED + FILL + ARRIVAL + EXECUTION + FEES + FUNDING + MARK + OPENING. What a side holds
as the window opens counts from its price then, so that profits of windows that follow each other add up to those of the
whole. A mean price may have no end as a decimal: it and FILL are rounded at the 18th place, ARRIVAL takes the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal, Inexact, InvalidOperation, localcontext

from qmtl.core.errors import NotReady
from worldservice.campaigns.domain.divergence.pairing import ZERO, Pair, Pairing, TradedOrder

EXACT = Context(prec=200, rounding=ROUND_HALF_EVEN, traps=[Inexact, InvalidOperation])
_ROUNDED = Context(prec=200, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation])
PLACE = Decimal("1E-18")


@dataclass(frozen=True, slots=True)
class Opening:
    """What a side holds of a symbol as the window opens, negative when short, and the price then."""

    quantity: Decimal = ZERO
    price: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Marks:
    """Of one symbol: the last mark of each side, what each begins with and the value of a point."""

    live: Decimal
    replay: Decimal
    live_opening: Opening = Opening()
    replay_opening: Opening = Opening()
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
    opening: Decimal = ZERO

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
    with localcontext(EXACT):
        return _attribution(pairing, marks, (funding_live, funding_replay))


def _attribution(pairing: Pairing, marks: Mapping[str, Marks], funding: tuple[Decimal, Decimal]) -> Attribution:
    live, replay = [pair.live for pair in pairing.pairs], [pair.replay for pair in pairing.pairs]
    paired_live, paired_replay = _flows(live), _flows(replay)
    only_live, only_replay = _flows(pairing.only_live), _flows(pairing.only_replay)
    missing = sorted({*paired_live, *paired_replay, *only_live, *only_replay} - marks.keys())
    if missing:
        raise NotReady("E_MARK_MISSING", f"no last mark of {', '.join(missing)}", hint="replay the whole window again")
    fees_live = sum((order.fee for order in (*live, *pairing.only_live)), ZERO)
    fees_replay = sum((order.fee for order in (*replay, *pairing.only_replay)), ZERO)
    began = {symbol: _opened(one.live_opening) for symbol, one in marks.items()}
    replay_began = {symbol: _opened(one.replay_opening) for symbol, one in marks.items()}
    live_pnl = _gain((began, paired_live, only_live), marks, live=True) - fees_live + funding[0]
    held = (replay_began, paired_replay, only_replay)
    replay_pnl = _gain(held, marks, live=False) - fees_replay + funding[1]
    fill, execution = _of_pairs(pairing.pairs, marks)
    gap = _gain((paired_live,), marks, live=True) - _gain((paired_replay,), marks, live=True)
    terms = Terms(
        unmatched=_gain((only_live,), marks, live=True) - _gain((only_replay,), marks, live=True),
        fill=fill,
        arrival=gap - fill - execution,
        execution=execution,
        fees=fees_replay - fees_live,
        funding=funding[0] - funding[1],
        mark=_gain(held, marks, live=True) - _gain(held, marks, live=False),
        opening=_gain((began,), marks, live=True) - _gain((replay_began,), marks, live=True),
    )
    return Attribution(live_pnl, replay_pnl, terms)


_Flows = Mapping[str, tuple[Decimal, Decimal]]
"""By symbol: quantity bought less sold, and its notional."""


def _opened(opening: Opening) -> tuple[Decimal, Decimal]:
    """As if it had been bought at the price that it opened at."""
    return opening.quantity, opening.quantity * opening.price


def _flows(orders: Iterable[TradedOrder]) -> _Flows:
    found: dict[str, tuple[Decimal, Decimal]] = {}
    for order in orders:
        if order.quantity:
            quantity, notional = found.get(order.symbol, (ZERO, ZERO))
            if order.buys:
                found[order.symbol] = quantity + order.quantity, notional + order.notional
            else:
                found[order.symbol] = quantity - order.quantity, notional - order.notional
    return found


def _gain(flows: Iterable[_Flows], marks: Mapping[str, Marks], *, live: bool) -> Decimal:
    """Sum of e (q M - q p) times the multiplier, before fees; at the marks of the live side or of the replay."""
    gain = ZERO
    for each in flows:
        for symbol, (quantity, notional) in each.items():
            known = marks[symbol]
            gain += known.multiplier * (quantity * (known.live if live else known.replay) - notional)
    return gain


def _of_pairs(pairs: Iterable[Pair], marks: Mapping[str, Marks]) -> tuple[Decimal, Decimal]:
    """FILL and EXECUTION of all pairs; an arrival mark that nobody knows is the replay's price."""
    fill = execution = ZERO
    for pair in pairs:
        live, replay = pair.live, pair.replay
        if not live.quantity and not replay.quantity:
            continue
        known, arrival = marks[live.symbol], _arrival(pair)
        factor = known.multiplier if live.buys else -known.multiplier
        execution += factor * (live.quantity * arrival - live.notional)
        if live.quantity != replay.quantity:
            price = _mean(replay) if replay.quantity else arrival
            fill += factor * (live.quantity - replay.quantity) * (known.live - price)
    return fill.quantize(PLACE, context=_ROUNDED), execution


def _arrival(pair: Pair) -> Decimal:
    for known in (pair.live.arrival, pair.replay.arrival):
        if known is not None:
            return known
    return _mean(pair.replay if pair.replay.quantity else pair.live)


def _mean(order: TradedOrder) -> Decimal:
    return _ROUNDED.divide(order.notional, order.quantity).quantize(PLACE, context=_ROUNDED)
