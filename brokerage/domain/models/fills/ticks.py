"""Simulated matching of one order against one tick: a pure function of the order, the market before it and the tick.

An order meets the book that stood when it arrived, then every tick from its arrival on. A market order takes level
after level of the other side; where no quote of the last hour is known it takes part in the next trade. A resting limit
is filled at its limit: by quotes of the other side that come to it, by trades beyond it. A stop that a tick reaches is
a market or limit order that arrives with that tick; the trade that reached it is over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from brokerage.domain.market.instrument import Instrument
from brokerage.domain.market.ticks import Level, QuoteTick, SeenMarket, Tick, TradeTick, trigger_bar
from brokerage.domain.models.fills.book import sweep
from brokerage.domain.models.fills.outcome import require_price
from brokerage.domain.models.fills.stops import touched
from brokerage.domain.models.fills.trailing import limit_after_trigger, limit_offset_of, step_trailing_stop, trail_of
from brokerage.domain.models.slippage.model import SlippageModel
from brokerage.domain.models.slippage.price import Slip
from brokerage.domain.money import RATE_ONE, floor_to
from brokerage.domain.orders.events import Liquidity
from brokerage.domain.orders.order import TRAILING, Side
from brokerage.domain.orders.record import OrderRecord
from brokerage.domain.orders.states import MARKET_ONCE_TRIGGERED, OrderType, TimeInForce
from qmtl.core.errors import NotFound


@dataclass(frozen=True, slots=True)
class TickRules:
    """How a profile fills on ticks. `participation` caps fills by what is traded, in 1e-8; 0: every fill is whole, at
    the best price. `at_touch`: a trade at a limit fills it too, not only one beyond.
    """

    slippage: SlippageModel
    participation: int
    at_touch: bool = False


@dataclass(frozen=True, slots=True)
class Taking:
    """A part of an order at one price. `level` is the price of the book it is taken from; 0: it is part of a trade."""

    price: int
    quantity: int
    liquidity: Liquidity
    level: int = 0


@dataclass(frozen=True, slots=True)
class TickMatch:
    """What a tick does to an order. `decided`: what an immediate order gets is known. `would_take`: a post-only order
    would have taken on arrival. `stop` and `limit` as in `Match`.
    """

    takings: tuple[Taking, ...] = ()
    decided: bool = False
    triggered: bool = False
    would_take: bool = False
    stop: int | None = None
    limit: int | None = None


NOTHING = TickMatch()


def traded_budget(lot: int, participation: int, quantity: int) -> int:
    """The share of a trade that may be taken, down to the lot; -1 when fills are in full."""
    return floor_to(quantity * participation // RATE_ONE, lot) if participation else -1


def meet_book(record: OrderRecord, seen: SeenMarket, at_ns: int, rules: TickRules, most: int) -> TickMatch:
    """An order that arrives at an instant in the book as it stands. `most` is what it may get at all.

    A limit takes prices up to its own and rests with what is left; one that is post-only takes nothing.
    """
    side, limit = record.order.side, _limit(record)
    levels = seen.asks if side is Side.BUY else seen.bids
    if not seen.quoted(at_ns) or (limit is None and not levels):
        return NOTHING
    found = _swept(side, min(record.remaining, most), levels, limit, rules)
    if record.order.post_only and found:
        return TickMatch(would_take=True)
    if record.order.tif is TimeInForce.FOK and sum(level.quantity for level in found) < record.remaining:
        found = ()
    against = seen.bids if side is Side.BUY else seen.asks  # Lean: a purchase's volume is the bid's size
    slip = Slip(rules.slippage, _instrument(record), side, record.remaining, against[0].quantity if against else 0)
    prices = [level.price if limit is not None else slip.moved(level.price) for level in found]
    takings = (
        Taking(price, one.quantity, Liquidity.TAKER, one.price) for price, one in zip(prices, found, strict=True)
    )
    return TickMatch(tuple(takings), decided=True)


def meet_tick(record: OrderRecord, seen: SeenMarket, tick: Tick, rules: TickRules, most: int) -> TickMatch:
    """What a tick does to an order that is there and no stop, or one that was reached. `seen` has taken it over."""
    limit, side = _limit(record), record.order.side
    if isinstance(tick, QuoteTick):
        found = meet_book(_resting(record), seen, tick.at_ns, rules, most)
        if limit is None or record.order.tif is TimeInForce.FOK or record.order.tif is TimeInForce.IOC:
            return found
        return replace(found, takings=tuple(_made(one, limit) for one in found.takings))
    if not isinstance(tick, TradeTick) or (limit is None and seen.quoted(tick.at_ns)):
        return NOTHING
    had = min(record.remaining, most) if seen.tradable < 0 else min(record.remaining, most, seen.tradable)
    if limit is None:
        bid, ask = seen.best(tick.at_ns)
        slip = Slip(rules.slippage, _instrument(record), side, had, tick.quantity, bid, ask)
        price, liquidity = slip.moved(tick.price), Liquidity.TAKER
    else:
        beyond = (limit - tick.price) * side.sign
        if beyond < 0 or (beyond == 0 and not rules.at_touch):
            return TickMatch(decided=True)
        price, liquidity = limit, Liquidity.MAKER
    if had <= 0 or (record.order.tif is TimeInForce.FOK and had < record.remaining):
        return TickMatch(decided=True)
    return TickMatch((Taking(price, had, liquidity),), decided=True)


def reach_stop(record: OrderRecord, tick: Tick, slippage: SlippageModel) -> TickMatch:
    """Whether a tick reaches an order's stop, by the trigger price of its instrument: at it or beyond. A stop that
    trails is tested first, then follows.
    """
    instrument, side = _instrument(record), record.order.side
    buys = side is Side.BUY
    touches = record.order.type is OrderType.LIMIT_IF_TOUCHED  # waits for the price that stops run from
    bar = trigger_bar(instrument.trigger, tick, buys=buys)
    if bar is None:
        return NOTHING
    stop = require_price(record.stop)
    if touches:
        reached = bar.low <= stop if buys else bar.high >= stop
        return TickMatch(triggered=reached)
    if touched(side, stop, bar):
        limits = record.order.type is OrderType.TRAILING_STOP_LIMIT
        limit = limit_after_trigger(side, stop, limit_offset_of(record.order), instrument) if limits else None
        return TickMatch(triggered=True, limit=limit)
    if record.order.type not in TRAILING:
        return NOTHING
    moved = step_trailing_stop(stop, trail_of(record.order), bar, Slip(slippage, instrument, side)).stop
    return TickMatch(stop=moved) if moved != stop else NOTHING


def _made(taken: Taking, limit: int) -> Taking:
    """What who comes to a resting order trades with it, at its limit."""
    return replace(taken, price=limit, liquidity=Liquidity.MAKER)


def _swept(
    side: Side, quantity: int, levels: Sequence[Level], limit: int | None, rules: TickRules
) -> tuple[Level, ...]:
    if rules.participation:
        return sweep(side, quantity, levels, limit)
    best = levels[:1]
    return sweep(side, quantity, [Level(level.price, quantity) for level in best], limit)


def _limit(record: OrderRecord) -> int | None:
    """The price an order works at; None: at any."""
    kind = record.order.type
    return None if kind is OrderType.MARKET or kind in MARKET_ONCE_TRIGGERED else require_price(record.limit)


def _resting(record: OrderRecord) -> OrderRecord:
    """The order once it rests: whoever comes to it takes."""
    return replace(record, order=replace(record.order, post_only=False)) if record.order.post_only else record


def _instrument(record: OrderRecord) -> Instrument:
    if record.instrument is None:
        raise NotFound("E_INSTRUMENT_UNKNOWN", f"order {record.id} has no instrument to match")
    return record.instrument
