"""Rows to values and back: accounts, orders with their events, positions, fences. No decisions and no transactions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from sqlalchemy import Row

from brokerage.domain.fence import Fence, FenceState
from brokerage.domain.instrument import Instruments
from brokerage.domain.ledger import Position
from brokerage.domain.orders import Denial, Fill, Liquidity, Order, OrderEvent, OrderRecord, advance, born
from brokerage.domain.risk import Mark, TradingState
from brokerage.domain.states import EventKind, FillFlag, OrderState
from brokerage.wire import SECOND_NS, order_from_proto
from qmtl.broker.v1 import broker_pb2 as brokerpb
from qmtl.core.errors import DataLoss
from qmtl.core.limits import UNLIMITED, limits_of, limits_text
from qmtl.core.modes import EffectiveMode

BODIES_MAX = 4_096
LIMITED = "_LIMITED"
"""Ends the stored state of a fence with limits, so that a build that does not know them cannot read it as open."""

AnyRow = Row[Any]  # a result row; its columns are typed by the table


@dataclass(frozen=True, slots=True)
class Account:
    """A paper account of one world: its feed, its progress along the feed, and the ends of its logs."""

    account: str
    world_id: str
    venue: str
    base_currency: str
    starting_cash: int
    data_preset: str
    data_session_id: str
    symbol: str
    interval_s: int
    fee_rate: int
    trading_state: TradingState
    created_ns: int
    venue_ns: int
    mark_price: int | None
    mark_ns: int | None
    event_sequence: int
    fill_sequence: int
    summed_sequence: int = 0
    rate_ns: int = 0
    peak_equity: int | None = None
    circuit_ns: int | None = None
    valued_sequence: int = 0

    @property
    def mark(self) -> Mark | None:
        if self.mark_price is None or self.mark_ns is None:
            return None
        return Mark(self.mark_price, self.mark_ns, self.interval_s * SECOND_NS)

    def same_settings(self, other: Account) -> bool:
        """Whether a request to open it asks for what is there."""
        return self._settings() == other._settings()

    def _settings(self) -> tuple[str | int, ...]:
        return (
            self.world_id,
            self.venue,
            self.base_currency,
            self.starting_cash,
            self.data_preset,
            self.data_session_id,
            self.fee_rate,
        )


@dataclass(frozen=True, slots=True)
class StoredOrder:
    """An order as stored: the client's message, what it was gated under, its history and the fold of it."""

    body: brokerpb.Order
    epoch: int
    events: tuple[OrderEvent, ...]
    record: OrderRecord


def account_of(row: AnyRow) -> Account:
    values = row._asdict()
    return Account(**{**values, "trading_state": TradingState(values["trading_state"])})


def account_values(account: Account) -> dict[str, str | int | None]:
    """The columns of an account's row."""
    return {
        "account": account.account,
        "world_id": account.world_id,
        "venue": account.venue,
        "base_currency": account.base_currency,
        "starting_cash": account.starting_cash,
        "data_preset": account.data_preset,
        "data_session_id": account.data_session_id,
        "symbol": account.symbol,
        "interval_s": account.interval_s,
        "fee_rate": account.fee_rate,
        "trading_state": account.trading_state.value,
        "created_ns": account.created_ns,
        "venue_ns": account.venue_ns,
        "mark_price": account.mark_price,
        "mark_ns": account.mark_ns,
        "event_sequence": account.event_sequence,
        "fill_sequence": account.fill_sequence,
        "summed_sequence": account.summed_sequence,
        "rate_ns": account.rate_ns,
        "peak_equity": account.peak_equity,
        "circuit_ns": account.circuit_ns,
        "valued_sequence": account.valued_sequence,
    }


def order_of(row: AnyRow, events: Iterable[OrderEvent], instruments: Instruments) -> StoredOrder:
    """Fold an order's events over the order it was born from."""
    body = brokerpb.Order.FromString(row.body)
    order = _order(row.body, row.gate_reduce_only)
    history = tuple(events)
    record = born(order, instruments.find(order.symbol), history[0])
    for event in history[1:]:
        record = advance(record, event)
    return StoredOrder(body, row.epoch, history, record)


@lru_cache(maxsize=BODIES_MAX)
def _order(body: bytes, gate_reduce_only: bool) -> Order:
    """A stored body as the order that is worked. Bodies never change, so neither does this."""
    return effective(order_from_proto(brokerpb.Order.FromString(body)), gate_reduce_only)


def record_of(row: AnyRow, instruments: Instruments) -> OrderRecord:
    """The fold of an order's events as its head keeps it."""
    order = _order(row.body, row.gate_reduce_only)
    return OrderRecord(
        id=row.order_id,
        order=order,
        instrument=instruments.find(order.symbol),
        state=OrderState(row.state),
        previous=OrderState(row.previous),
        seq=row.seq,
        quantity=row.quantity,
        limit=row.limit_price,
        stop=row.stop_price,
        expire_ns=row.expire_ns,
        filled=row.filled,
        notional=row.notional,
        triggered=row.triggered,
        accepted_ns=row.accepted_ns,
        created_ns=row.created_ns,
        updated_ns=row.updated_ns,
        denial=Denial(row.denial) if row.denial else None,
        detail=row.detail,
        flag=FillFlag(row.flag) if row.flag else None,
        unresolved=row.unresolved,
        worst=row.worst_price,
    )


def head_values(record: OrderRecord) -> dict[str, str | int | bool | None]:
    """The columns of an order's head. The inverse of record_of."""
    return {
        "open": not record.closed,
        "state": record.state.value,
        "previous": record.previous.value,
        "seq": record.seq,
        "gate_reduce_only": record.order.reduce_only,
        "quantity": record.quantity,
        "limit_price": record.limit,
        "stop_price": record.stop,
        "expire_ns": record.expire_ns,
        "filled": record.filled,
        "notional": record.notional,
        "triggered": record.triggered,
        "accepted_ns": record.accepted_ns,
        "created_ns": record.created_ns,
        "updated_ns": record.updated_ns,
        "denial": record.denial.value if record.denial else "",
        "detail": record.detail,
        "flag": record.flag.value if record.flag else "",
        "unresolved": record.unresolved,
        "worst_price": record.worst,
    }


def effective(order: Order, gate_reduce_only: bool) -> Order:
    """The order as it is worked: a drain makes it reduce-only. The client's body stays as it was sent."""
    if order.reduce_only or not gate_reduce_only:
        return order
    return replace(order, reduce_only=True)


def event_of(row: AnyRow) -> OrderEvent:
    return OrderEvent(
        order_id=row.order_id,
        seq=row.seq,
        kind=EventKind(row.kind),
        at_ns=row.at_ns,
        received_ns=row.received_ns,
        state=OrderState(row.state),
        cumulative=row.cumulative,
        fill=_fill_of(row) if row.kind == EventKind.FILLED.value else None,
        denial=Denial(row.denial) if row.denial else None,
        detail=row.detail,
        flag=FillFlag(row.flag) if row.flag else None,
        quantity=row.quantity,
        limit=row.limit_price,
        stop=row.stop_price,
        expire_ns=row.expire_ns,
        unresolved=row.unresolved,
        worst=row.worst_price,
    )


def _fill_of(row: AnyRow) -> Fill:
    return Fill(
        row.trade_id,
        row.fill_quantity,
        row.fill_price,
        row.fee,
        row.fee_currency,
        Liquidity(row.liquidity),
        row.venue_ns,
    )


def event_values(account: str, sequence: int, event: OrderEvent) -> dict[str, str | int | bool | None]:
    """The columns of an event's row. The inverse of event_of."""
    fill = event.fill
    return {
        "order_id": event.order_id,
        "seq": event.seq,
        "account": account,
        "sequence": sequence,
        "kind": event.kind.value,
        "state": event.state.value,
        "at_ns": event.at_ns,
        "received_ns": event.received_ns,
        "denial": event.denial.value if event.denial else "",
        "detail": event.detail,
        "flag": event.flag.value if event.flag else "",
        "quantity": event.quantity,
        "limit_price": event.limit,
        "stop_price": event.stop,
        "expire_ns": event.expire_ns,
        "unresolved": event.unresolved,
        "trade_id": fill.trade_id if fill else "",
        "fill_quantity": fill.quantity if fill else 0,
        "fill_price": fill.price if fill else 0,
        "fee": fill.fee if fill else 0,
        "fee_currency": fill.fee_currency if fill else "",
        "liquidity": fill.liquidity.value if fill else "",
        "venue_ns": fill.venue_ns if fill else event.at_ns,
        "cumulative": event.cumulative,
        "worst_price": event.worst,
    }


def position_of(row: AnyRow) -> Position:
    return Position(row.quantity, row.cost, row.realised, row.fees, row.fills)


def fence_of(row: AnyRow) -> Fence:
    """A fence has limits where its state says so: an older peer that moves one leaves the limits of before beside it.

    Raises DataLoss (E_FENCE_DAMAGED) where they are missing.
    """
    state, mode = row.state.removesuffix(LIMITED), EffectiveMode(row.effective_mode)
    limits = limits_of(row.limits) if row.state != state else UNLIMITED
    if row.state != state and limits == UNLIMITED:
        raise DataLoss("E_FENCE_DAMAGED", f"limits of world {row.world_id} are {row.limits}, want those of {row.state}")
    return Fence(row.world_id, row.epoch, FenceState(state), mode, limits)


def fence_values(fence: Fence) -> dict[str, str | int]:
    """What of a fence's row moves with it."""
    return {
        "epoch": fence.epoch,
        "state": fence.state.value + ("" if fence.limits == UNLIMITED else LIMITED),
        "effective_mode": fence.effective_mode.value,
        "limits": limits_text(fence.limits),
    }
