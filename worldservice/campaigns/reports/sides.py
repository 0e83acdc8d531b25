"""One side of a report from what brokerage says of it: orders with what they filled, daily returns, what time paid.

Both sides are followed from the session's start. A window that begins later takes what they held at its price then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, localcontext
from itertools import pairwise

from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.broker.v1 import replay_pb2 as replaypb
from qmtl.core.decimals import parse_decimal
from qmtl.core.errors import NotReady
from qmtl.core.instants import from_ns
from qmtl.wire.instants import instant_from_proto
from worldservice.campaigns.domain.divergence.attribution import EXACT, Marks, Opening
from worldservice.campaigns.domain.divergence.pairing import ZERO, TradedOrder
from worldservice.campaigns.domain.divergence.provenance import SizedOrder, no_replay
from worldservice.campaigns.domain.divergence.report import Side
from worldservice.evaluation.replay.numbers import Replayed

SETTLED = "VARIATION"
"""Profit of futures that is paid from day to day: their orders have it already."""
BEGINNING = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """Both answers of brokerage, and the orders that they are about."""

    live: Replayed
    live_orders: Sequence[replaypb.BookedOrder]
    replay: Replayed
    replay_orders: Sequence[orderpb.Order]


@dataclass(frozen=True, slots=True)
class Window:
    """What a report is about: from `start` to `end` of a session that began at `since`, the start or before it.

    `weight` is the share of its quantities that the replay counts with, `cash` what it began with.
    """

    since: datetime
    start: datetime
    end: datetime
    weight: Decimal = Decimal(1)
    cash: Decimal = ZERO

    @property
    def opens_later(self) -> bool:
        """Whether the session had begun before it."""
        return self.start > self.since

    def is_before(self, fill: orderpb.Fill) -> bool:
        """Whether a fill is part of what was held as the window opened: a bar that ends then is of the time before."""
        return self.opens_later and instant_from_proto(fill.account_time, "account_time") <= self.start


def sides_of(told: Told, window: Window) -> tuple[Side, Side]:
    """Live and replay over a window. An order of the replay arrived at the mark that one of live did at that close."""
    live = [_booked(one, window.since) for one in told.live_orders]
    marks = _arrivals(live)
    replayed = [_listed(one, marks) for one in told.replay_orders]
    return (
        _side(told.live, _within(live, window), replace(window, weight=Decimal(1))),
        _side(told.replay, _within(replayed, window), window),
    )


def _arrivals(live: Iterable[TradedOrder]) -> dict[tuple[str, datetime], Decimal | None]:
    """Marks by symbol and close, from the orders of the account that arrived at them."""
    return {(one.symbol, one.decided_at): one.arrival for one in live if one.arrival is not None}


def marks_of(told: Told, window: Window) -> Mapping[str, Marks]:
    """The last prices of symbols that both have, with the value of a point and what each side began with.

    Raises NotReady (E_MARK_MISSING): something was held as the window opened, and its price then, or its last price on
    either side, is not known.
    """
    live = {one.symbol: one for one in told.live.whole().instruments if one.last_price}
    replay = {one.symbol: one for one in told.replay.whole().instruments if one.last_price}
    held, replay_held = _held(told.live, window), _held(told.replay, window)
    if missing := sorted({*held, *replay_held} - (live.keys() & replay.keys())):
        hint = "replay what the strategy trades, all of it"
        raise NotReady("E_MARK_MISSING", f"no last mark on both sides of {', '.join(missing)}", hint=hint)
    return {
        symbol: Marks(
            live=parse_decimal(live[symbol].last_price, "last_price"),
            replay=parse_decimal(replay[symbol].last_price, "last_price"),
            live_opening=_opening(held.get(symbol, ZERO), live[symbol], Decimal(1)),
            replay_opening=_opening(replay_held.get(symbol, ZERO), replay[symbol], window.weight),
            multiplier=parse_decimal(live[symbol].multiplier, "multiplier"),
        )
        for symbol in live.keys() & replay.keys()
    }


def _held(replayed: Replayed, window: Window) -> Mapping[str, Decimal]:
    """What a side held as the window opened, by symbol."""
    found = dict[str, Decimal]()
    for fill in replayed.fills:
        if window.is_before(fill):
            quantity = parse_decimal(fill.quantity, "quantity")
            found[fill.symbol] = found.get(fill.symbol, ZERO) + (
                quantity if fill.side == orderpb.ORDER_SIDE_BUY else -quantity
            )
    return {symbol: quantity for symbol, quantity in found.items() if quantity}


def _opening(held: Decimal, instrument: replaypb.ReplayedInstrument, weight: Decimal) -> Opening:
    symbol = instrument.symbol
    if not held:
        return Opening()
    if not instrument.opening_price:
        hint = "begin the window at the close of a bar"
        raise NotReady("E_MARK_MISSING", f"no price of {symbol} as the window opened", hint=hint)
    return Opening(EXACT.multiply(held, weight), parse_decimal(instrument.opening_price, "opening_price"))


def unlike(told: Told, start: datetime, end: datetime) -> tuple[str, ...]:
    """What cannot be compared, as sentences."""
    found = list[str]()
    live, replay = told.live.whole(), told.replay.whole()
    given = {one.symbol: one.bars_digest for one in replay.instruments}
    other = sorted(one.symbol for one in live.instruments if given.get(one.symbol) != one.bars_digest)
    if other:
        found.append(f"the replay is not over what the session was given of {', '.join(other)}")
    if replay.ended:
        found.append(f"the replay ended before its data did: {replay.ended}")
    early = [one for one in told.live.fills if instant_from_proto(one.account_time, "account_time") <= start]
    if early:
        found.append(f"{len(early)} fills of the account are older than the session: its position there is not known")
    untimed = [one for one in told.live_orders if not one.HasField("decided_at")]
    if untimed:
        found.append(f"{len(untimed)} orders of the account do not say when they were decided")
    if live.base_currency != replay.base_currency:
        found.append(f"the account is in {live.base_currency}, the replay in {replay.base_currency}")
    marks = _arrivals(_booked(one, start) for one in told.live_orders)
    sized = [_sized(one, marks) for one in told.replay_orders]
    return (*found, *no_replay(sized, dict(_closes(told.live)), dict(_closes(told.replay))))


def bar_of(replayed: Replayed) -> timedelta:
    """The shortest time between two closes. Raises NotReady (E_REPLAY_CUT): there are not two."""
    times = [at for at, _ in _closes(replayed)]
    steps = [after - before for before, after in pairwise(times)]
    if not steps:
        raise NotReady("E_REPLAY_CUT", "fewer than two closes were replayed", hint="ask again after some bars")
    return min(steps)


def daily_returns(closes: Iterable[tuple[datetime, Decimal]], start: datetime = BEGINNING) -> dict[date, float]:
    """Simple returns by UTC day, from the last close by `start` or else the first on; a close at midnight is the end of
    the day before.
    """
    found, last, before = dict[date, float](), dict[date, Decimal](), Decimal(0)
    for at, equity in closes:
        if at <= start:
            before = equity
            continue
        last[(at - timedelta(microseconds=1)).date()] = equity
        before = before or equity
    for day, equity in last.items():
        found[day] = float(equity / before - 1) if before > 0 else float("nan")
        before = equity
    return found


def _side(replayed: Replayed, orders: Sequence[TradedOrder], window: Window) -> Side:
    summary, weight = replayed.whole(), window.weight
    worth = {one.symbol: parse_decimal(one.multiplier, "multiplier") for one in summary.instruments}
    filled = {order.client_order_id: order for order in orders}
    for fill in replayed.fills:
        if window.is_before(fill):
            continue
        known = filled.get(fill.client_order_id) or _forced(fill)
        quantity, price = parse_decimal(fill.quantity, "quantity"), parse_decimal(fill.price, "price")
        fee = parse_decimal(fill.fee or "0", "fee")
        with localcontext(EXACT):
            if fill.fee_currency != summary.base_currency:
                fee *= price * worth.get(fill.symbol, Decimal(1))
            filled[fill.client_order_id] = replace(
                known,
                quantity=known.quantity + quantity * weight,
                notional=known.notional + quantity * price * weight,
                fee=known.fee + fee * weight,
            )
    for one in replayed.denials:
        if one.client_order_id in filled:
            rule = orderpb.Denial.Name(one.denial).removeprefix("DENIAL_")
            filled[one.client_order_id] = replace(filled[one.client_order_id], denial=rule)
    before = _paid(summary.opening_carried) if window.opens_later else ZERO
    paid = EXACT.subtract(_paid(summary.carried), before)
    closes = _closes(replayed)
    if weight != 1:  # what it earned is scaled, what it began with is not
        with localcontext(EXACT):
            closes = [(at, window.cash + (equity - window.cash) * weight) for at, equity in closes]
    returns = daily_returns(closes, window.start) if window.opens_later else daily_returns(closes)
    return Side(tuple(filled.values()), returns, EXACT.multiply(paid, weight))


def _paid(carried: Mapping[str, str]) -> Decimal:
    return sum((parse_decimal(value, "carried") for kind, value in carried.items() if kind != SETTLED), ZERO)


def _forced(fill: orderpb.Fill) -> TradedOrder:
    """The order of a fill that the account forced: no strategy decided it."""
    at = instant_from_proto(fill.account_time, "account_time")
    return TradedOrder(fill.client_order_id, fill.symbol, fill.side == orderpb.ORDER_SIDE_BUY, at)


def _within(orders: Iterable[TradedOrder], window: Window) -> list[TradedOrder]:
    """Those of the session up to its end: what was decided at the last close can be filled by no bar of the window."""
    return [order for order in orders if window.since <= order.decided_at < window.end]


def _booked(one: replaypb.BookedOrder, start: datetime) -> TradedOrder:
    return TradedOrder(
        client_order_id=one.client_order_id,
        symbol=one.symbol,
        buys=one.side == orderpb.ORDER_SIDE_BUY,
        decided_at=instant_from_proto(one.decided_at, "decided_at") if one.HasField("decided_at") else start,
        arrival=parse_decimal(one.arrival_price, "arrival_price") if one.arrival_price else None,
    )


def _listed(one: orderpb.Order, marks: Mapping[tuple[str, datetime], Decimal | None]) -> TradedOrder:
    at = instant_from_proto(one.decided_at, "decided_at")
    return TradedOrder(
        client_order_id=one.client_order_id,
        symbol=one.symbol,
        buys=one.side == orderpb.ORDER_SIDE_BUY,
        decided_at=at,
        arrival=marks.get((one.symbol, at)),
    )


def _sized(one: orderpb.Order, marks: Mapping[tuple[str, datetime], Decimal | None]) -> SizedOrder:
    at = instant_from_proto(one.decided_at, "decided_at")
    target = parse_decimal(one.position_target, "position_target") if one.position_target else None
    return SizedOrder(one.client_order_id, one.symbol, at, target, marks.get((one.symbol, at)))


def _closes(replayed: Replayed) -> list[tuple[datetime, Decimal]]:
    found = list[tuple[datetime, Decimal]]()
    for table in replayed.equity:
        times = table.column("close_time").cast("int64").to_pylist()
        values = table.column("equity").to_pylist()
        found += [(from_ns(ns), value) for ns, value in zip(times, values, strict=True)]
    return found
