"""Order lists to values, and what became of them to messages. All that a list may be refused for is refused here."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

import numpy as np

from brokerage.accounts.wire import ACCOUNT_TYPES, VENUE, costs_of, fee_rate_of, leverage_of, starting_money
from brokerage.domain.accounts.account import Account, AccountType, TradingState
from brokerage.domain.backtest.actions import ActionResult
from brokerage.domain.backtest.fill_view import view_fill
from brokerage.domain.backtest.order_list import Act, Cancel, OrderStep, ReplayedOrders, acts_of
from brokerage.domain.backtest.timeline import Steps
from brokerage.domain.market.instrument import Instrument
from brokerage.domain.models.corporate import action_text
from brokerage.domain.models.profile import BrokerageProfile
from brokerage.domain.models.profiles.named import profile_named
from brokerage.domain.money import RATE_SCALE, currency_scale
from brokerage.domain.orders.order import Order, Owner
from brokerage.market.context import MarketContext
from brokerage.orders.wire import TEXT_MAX, fill_to_proto, listed_orders_from_proto
from brokerage.replay.bars import SealedBars
from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.broker.v1 import replay_pb2 as replaypb
from qmtl.broker.v1 import replay_service_pb2 as replayservicepb
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.decimals import format_decimal, from_scaled
from qmtl.core.errors import refused
from qmtl.core.fills import FillEvent
from qmtl.stats.trades import ClosedTrip
from qmtl.wire.fields import known_enum, require_text
from qmtl.wire.instants import ns_from_proto, ns_to_proto

ORDERS_MAX = 50_000
FINGERPRINTS_MAX = 16
PART_ROWS = 1_000
EQUITY_ROWS = 32_768
MARGIN_CALLS_MAX = 1_000
ACTIONS_MAX = 1_000

M = TypeVar("M")
Reply = replayservicepb.ReplayOrdersResponse


@dataclass(frozen=True, slots=True, eq=False)
class Replay:
    """An order list, and what it is to be run over. `equity_after_ns`: equity is told of closes after it; prices and
    payments by `opening_ns`, -1: of no instant.
    """

    owner: Owner
    acts: Sequence[tuple[int, Act]]
    fingerprints: tuple[str, ...]
    span: commonpb.TimeRange | None
    equity_after_ns: int
    account: Account
    opening_ns: int = -1


def replay_from_proto(message: replaypb.OrderReplay, market: MarketContext) -> Replay:
    """A request as values. Raises InvalidRequest by field."""
    world = require_text(message.world_id, "world_id", TEXT_MAX)
    strategy = require_text(message.strategy_id, "strategy_id", TEXT_MAX)
    for name, many in (("orders", len(message.orders)), ("cancels", len(message.cancels))):
        if many > ORDERS_MAX:
            raise refused("E_TOO_LARGE", name, many, f"at most {ORDERS_MAX}")
    orders = listed_orders_from_proto(message.orders)
    owner = orders[0].owner if orders else Owner("replay", world, strategy)
    _require_order(orders, Owner(owner.account, world, strategy))
    places = {order.client_order_id: place for place, order in enumerate(orders)}
    times = [order.decided_ns or 0 for order in orders]
    cancels = [_cancel(one, f"cancels[{n}]", places, times) for n, one in enumerate(message.cancels)]
    prints = tuple(require_text(one, "dataset_fingerprints", TEXT_MAX) for one in message.dataset_fingerprints)
    if not 1 <= len(prints) <= FINGERPRINTS_MAX or len(set(prints)) < len(prints):
        raise refused("E_FIELD", "dataset_fingerprints", len(prints), f"1 to {FINGERPRINTS_MAX}, each once")
    return Replay(
        owner,
        acts_of(orders, cancels),
        prints,
        message.range if message.HasField("range") else None,
        ns_from_proto(message.equity_after, "equity_after") if message.HasField("equity_after") else -1,
        account_from_model(message.account_model, owner, market),
        ns_from_proto(message.opening_at, "opening_at") if message.HasField("opening_at") else -1,
    )


def _require_order(orders: Sequence[Order], owner: Owner) -> None:
    """Orders of one owner, each with the time it was decided, in its order."""
    last_ns, seen = 0, set[str]()
    for number, order in enumerate(orders):
        if order.owner != owner:
            want = f"account {owner.account}, world {owner.world_id}, strategy {owner.strategy_id}"
            raise refused("E_FIELD", f"orders[{number}]", order.owner, want)
        if order.decided_ns is None or order.decided_ns < last_ns:
            raise refused("E_FIELD", f"orders[{number}].decided_at", order.decided_ns, "a time, not before the last")
        if order.client_order_id in seen:
            raise refused("E_FIELD", f"orders[{number}].client_order_id", order.client_order_id, "each id once")
        last_ns = order.decided_ns
        seen.add(order.client_order_id)


def _cancel(message: replaypb.ReplayedCancel, where: str, places: Mapping[str, int], times: Sequence[int]) -> Cancel:
    """A cancel of an order of the list that was sent before it. `times` are those of the orders, which never fall."""
    name, at_ns = message.client_order_id, ns_from_proto(message.decided_at, f"{where}.decided_at")
    first, beyond = bisect_left(times, at_ns), bisect_right(times, at_ns)
    before = message.orders_before if message.HasField("orders_before") else None
    if before is not None and not first <= before <= beyond:
        raise refused("E_FIELD", f"{where}.orders_before", before, f"{first} to {beyond}, by when it was decided")
    if places.get(name, len(times)) >= (first if before is None else before):
        raise refused("E_FIELD", f"{where}.client_order_id", name, "an order of the list that was sent before")
    return Cancel(name, at_ns, before)


def account_from_model(message: accountpb.AccountModel, owner: Owner, market: MarketContext) -> Account:
    """The account that a model describes. Raises InvalidRequest (E_DECIMAL, E_ENUM, E_FIELD, E_PROFILE_UNKNOWN)."""
    made: BrokerageProfile = profile_named(message.profile) if message.profile else market.profile
    given = message.type != accountpb.ACCOUNT_TYPE_UNSPECIFIED
    kind = (
        known_enum(ACCOUNT_TYPES, message.type, "account_model.type") if given else AccountType(made.buying_power.value)
    )
    leverage = leverage_of(message.leverage, kind, made, "account_model.leverage")
    currency, cash = starting_money(message.base_currency, message.starting_cash)
    return Account(
        account=owner.account,
        type=kind,
        venue=VENUE,
        base_currency=currency,
        starting_cash=cash,
        fee_rate=fee_rate_of(message.fee_rate, message.profile),
        profile=message.profile,
        costs=costs_of(message, "account_model", made),
        leverage=leverage,
        trading_state=TradingState.ACTIVE,
        created_ns=0,
        feeds=(),
    )


def replies(
    found: ReplayedOrders,
    trips: Iterable[ClosedTrip],
    bars: Sequence[SealedBars],
    currency: str,
    profile: BrokerageProfile,
    opening_ns: int = -1,
) -> Iterator[Reply]:
    """What became of a list over bars under a profile, in parts."""
    known = {one.instrument.symbol: one.instrument for one in bars}
    fills = [_fill(step, known) for step in found.fills]
    for some_fills in _parts(fills):
        yield Reply(fills=replaypb.ReplayedFills(fills=some_fills))
    for some_trips in _parts([_trip(trip) for trip in trips]):
        yield Reply(trades=replaypb.ReplayedTrades(trades=some_trips))
    for some_denials in _parts([_denial(step) for step in found.denials]):
        yield Reply(denials=replaypb.ReplayedDenials(denials=some_denials))
    scale = currency_scale(currency)
    for begin in range(0, len(found.times), EQUITY_ROWS):
        chosen = slice(begin, begin + EQUITY_ROWS)
        yield Reply(equity_arrow=_equity(found.times[chosen], found.equity[chosen], scale))
    summary = _summary(found, currency, scale)
    summary.instruments.extend(_instrument(one, opening_ns) for one in bars)
    summary.terms.CopyFrom(_terms(profile))
    yield Reply(summary=summary)


def _parts(rows: Sequence[M]) -> Iterator[Sequence[M]]:
    for begin in range(0, len(rows), PART_ROWS):
        yield rows[begin : begin + PART_ROWS]


def _fill(step: OrderStep, known: Mapping[str, Instrument]) -> orderpb.Fill:
    return fill_to_proto(step.order, known[step.order.symbol], step.event, 0)


def _trip(trip: ClosedTrip) -> replaypb.ReplayedTrade:
    closed = ns_to_proto(trip.closed_ns)
    return replaypb.ReplayedTrade(symbol=trip.symbol, closed_at=closed, profit=format_decimal(trip.profit))


def _denial(step: OrderStep) -> replaypb.ReplayedDenial:
    denial = step.event.denial
    return replaypb.ReplayedDenial(
        client_order_id=step.order.client_order_id,
        denial=None if denial is None else f"DENIAL_{denial.name}",
        message=step.event.detail,
        time=ns_to_proto(step.event.at_ns),
    )


def _equity(times: Steps, units: Steps, scale: int) -> bytes:
    """Closes and equity as an Arrow stream; equity exact, as 128-bit decimals of the currency's places."""
    import pyarrow as pa

    wide = np.column_stack([units, units >> 63])  # two's complement: the low half and the sign
    buffers = [None, pa.py_buffer(np.ascontiguousarray(wide, dtype="<i8").tobytes())]
    equity = pa.Array.from_buffers(pa.decimal128(38, scale), len(units), buffers)
    closes = pa.array(times, type=pa.timestamp("ns", "UTC"))
    table = pa.table({"close_time": closes, "equity": equity})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue().to_pybytes())


def _summary(found: ReplayedOrders, currency: str, scale: int) -> replaypb.ReplaySummary:
    last = from_scaled(int(found.equity[-1]), scale) if len(found.equity) else None
    return replaypb.ReplaySummary(
        equity="" if last is None else format_decimal(last),
        base_currency=currency,
        ended=found.ended,
        margin_calls=[
            replaypb.ReplayedMarginCall(time=ns_to_proto(at_ns), message=said)
            for at_ns, said in found.margin_calls[:MARGIN_CALLS_MAX]
        ],
        margin_call_count=len(found.margin_calls),
        carried=_amounts(found.carried, scale),
        opening_carried=_amounts(found.opening_carried, scale),
        fill_count=len(found.fills),
        equity_count=len(found.times),
        invested_count=found.invested,
        corporate_actions=[_acted(one, currency, scale) for one in found.acted[:ACTIONS_MAX]],
        not_tradable=found.stuck,
    )


def _amounts(by_kind: Mapping[str, int], scale: int) -> dict[str, str]:
    return {kind: format_decimal(from_scaled(amount, scale)) for kind, amount in by_kind.items()}


def _acted(result: ActionResult, currency: str, scale: int) -> str:
    amount = from_scaled(sum(payment.amount for payment in result.payments), scale)
    return f"{action_text(result.action)}: cash {format_decimal(amount)} {currency}"


def _instrument(bars: SealedBars, opening_ns: int) -> replaypb.ReplayedInstrument:
    made = replaypb.ReplayedInstrument(
        symbol=bars.instrument.symbol,
        data_preset=bars.preset,
        multiplier=format_decimal(bars.instrument.multiplier),
        calendar=bars.instrument.calendar,
        coverage_ratio=bars.coverage,
        bars_digest=bars.digest(),
    )
    if bars.span_ns is not None:
        made.first_open.CopyFrom(ns_to_proto(bars.span_ns[0]))
        made.last_close.CopyFrom(ns_to_proto(bars.span_ns[1]))
        opening, last = bars.closes_by([opening_ns, bars.span_ns[1]])
        made.last_price = format_decimal(last or Decimal(0))
        made.opening_price = "" if opening is None else format_decimal(opening)
    return made


def _terms(profile: BrokerageProfile) -> replaypb.ReplayedTerms:
    maker, taker = profile.fee.rates
    slippage, share = profile.slippage.rate, profile.participation
    texts = (format_decimal(from_scaled(units, RATE_SCALE)) for units in (maker, taker, slippage, share))
    return replaypb.ReplayedTerms(
        maker_fee_rate=next(texts),
        taker_fee_rate=next(texts),
        slippage_rate=next(texts),
        participation=next(texts),
    )


def fill_events(found: ReplayedOrders, known: Mapping[str, Instrument]) -> list[FillEvent]:
    """The fills with signed quantities, as statistics take them."""
    made: list[FillEvent] = []
    for step in found.fills:
        view = view_fill(known[step.order.symbol], step.order.side, step.event)
        signed = view.quantity * view.side.sign
        made.append(FillEvent(view.symbol, signed, view.price, view.fee, view.fee_currency, view.at_ns, view.trade_id))
    return made
