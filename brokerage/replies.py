"""What the brokerage answers: orders, events, fills, positions and books as messages, numbers as decimal text."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from brokerage.domain.instrument import Instrument
from brokerage.domain.ledger import PositionView
from brokerage.domain.money import RATE_SCALE, currency_scale
from brokerage.domain.orders import Order, OrderEvent
from brokerage.domain.states import EventKind
from brokerage.rows import Account, StoredOrder
from brokerage.wire import timestamp
from qmtl.broker.v1 import broker_pb2 as brokerpb
from qmtl.core.decimals import format_decimal, from_scaled
from qmtl.core.errors import Conflict


def status_to_proto(stored: StoredOrder) -> brokerpb.OrderStatus:
    """An order with what has become of it."""
    record, instrument = stored.record, stored.record.instrument
    status = brokerpb.OrderStatus(
        order=stored.body,
        state=f"ORDER_STATE_{record.state.name}",
        view=f"ORDER_VIEW_{record.public.name}",
        unresolved=record.unresolved,
        denial=None if record.denial is None else f"DENIAL_{record.denial.name}",
        reason=record.detail,
        working_quantity=quantity_text(instrument, record.quantity),
        cumulative_quantity=quantity_text(instrument, record.filled),
        fees=_fees(instrument, stored.events),
        epoch=stored.epoch,
        created_at=timestamp(record.created_ns),
        updated_at=timestamp(record.updated_ns),
        venue_order_id=record.id if any(event.kind is EventKind.SUBMITTED for event in stored.events) else "",
        last_seq=record.seq,
    )
    if record.filled and instrument is not None:
        status.average_price = format_decimal(instrument.average_price(record.notional, record.filled))
    return status


def event_to_proto(
    order: Order, instrument: Instrument | None, event: OrderEvent, sequence: int
) -> brokerpb.OrderEvent:
    """One step of an order, at its place in the account's log. The fill's own sequence is set by the caller."""
    message = brokerpb.OrderEvent(
        account=order.scope.account,
        world_id=order.scope.world_id,
        strategy_id=order.scope.strategy_id,
        client_order_id=order.client_order_id,
        seq=event.seq,
        kind=f"ORDER_EVENT_KIND_{event.kind.name}",
        state=f"ORDER_STATE_{event.state.name}",
        reason=event.detail,
        denial=None if event.denial is None else f"DENIAL_{event.denial.name}",
        cumulative_quantity=quantity_text(instrument, event.cumulative),
        venue_time=timestamp(event.fill.venue_ns if event.fill else event.at_ns),
        receive_time=timestamp(event.received_ns),
        sequence=sequence,
    )
    if event.fill is not None and instrument is not None:
        message.fill.CopyFrom(fill_to_proto(order, instrument, event, 0))
    return message


def fill_to_proto(order: Order, instrument: Instrument, event: OrderEvent, sequence: int) -> brokerpb.Fill:
    """One booked execution, at its place in the account's fills. The event must be a fill."""
    fill = event.fill
    if fill is None:
        raise Conflict("NOT_A_FILL", f"event {event.seq} of order {event.order_id} is {event.kind.value}")
    in_quote = fill.fee_currency == instrument.quote
    fee = instrument.money_decimal(fill.fee) if in_quote else instrument.quantity_decimal(fill.fee)
    return brokerpb.Fill(
        account=order.scope.account,
        world_id=order.scope.world_id,
        strategy_id=order.scope.strategy_id,
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        venue=order.venue,
        side=f"ORDER_SIDE_{order.side.name}",
        trade_id=fill.trade_id,
        quantity=quantity_text(instrument, fill.quantity),
        price=format_decimal(instrument.price_decimal(fill.price)),
        fee=format_decimal(fee),
        fee_currency=fill.fee_currency,
        liquidity_side=f"LIQUIDITY_SIDE_{fill.liquidity.name}",
        venue_time=timestamp(fill.venue_ns),
        receive_time=timestamp(event.received_ns),
        flag=None if event.flag is None else f"FILL_FLAG_{event.flag.name}",
        sequence=sequence,
    )


def account_to_proto(account: Account) -> brokerpb.Account:
    return brokerpb.Account(
        account=account.account,
        world_id=account.world_id,
        venue=account.venue,
        base_currency=account.base_currency,
        starting_cash=money_text(account.base_currency, account.starting_cash),
        data_session_id=account.data_session_id,
        data_preset=account.data_preset,
        trading_state=f"TRADING_STATE_{account.trading_state.name}",
        created_at=timestamp(account.created_ns),
        venue_time=timestamp(account.venue_ns) if account.venue_ns else None,
        fee_rate=format_decimal(from_scaled(account.fee_rate, RATE_SCALE)),
    )


def position_to_proto(account: Account, strategy_id: str, view: PositionView) -> brokerpb.Position:
    return brokerpb.Position(
        account=account.account,
        world_id=account.world_id,
        strategy_id=strategy_id,
        symbol=view.symbol,
        quantity=format_decimal(view.quantity),
        average_price=format_decimal(view.average_price),
        mark_price=format_decimal(view.mark),
        market_value=format_decimal(view.value),
        realized_pnl=format_decimal(view.realised),
        unrealized_pnl=format_decimal(view.unrealised),
        fees=format_decimal(view.fees),
        currency=view.currency,
    )


def portfolio_to_proto(
    account: Account, cash: list[brokerpb.CashBalance], positions: list[tuple[str, PositionView]]
) -> brokerpb.Portfolio:
    """An account's book: equity is its base currency's cash plus the value of its positions."""
    views = [view for _, view in positions]
    settled = sum((Decimal(row.settled) for row in cash if row.currency == account.base_currency), Decimal(0))
    return brokerpb.Portfolio(
        account=account.account,
        world_id=account.world_id,
        base_currency=account.base_currency,
        cash=cash,
        positions=[position_to_proto(account, strategy, view) for strategy, view in positions],
        equity=format_decimal(settled + total(view.value for view in views)),
        realized_pnl=format_decimal(total(view.realised for view in views)),
        unrealized_pnl=format_decimal(total(view.unrealised for view in views)),
        fees=format_decimal(total(view.fees for view in views)),
        time=timestamp(account.venue_ns) if account.venue_ns else None,
        sequence=account.event_sequence,
    )


def cash_to_proto(currency: str, settled: int, reserved: int) -> brokerpb.CashBalance:
    return brokerpb.CashBalance(
        currency=currency,
        settled=money_text(currency, settled),
        unsettled="0",
        reserved=money_text(currency, reserved),
    )


def money_text(currency: str, amount: int) -> str:
    return format_decimal(from_scaled(amount, currency_scale(currency)))


def quantity_text(instrument: Instrument | None, quantity: int) -> str:
    return format_decimal(instrument.quantity_decimal(quantity)) if instrument is not None else "0"


def total(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, Decimal(0))


def _fees(instrument: Instrument | None, events: Iterable[OrderEvent]) -> dict[str, str]:
    sums: dict[str, Decimal] = {}
    for event in events:
        fill = event.fill
        if fill is not None and instrument is not None:
            in_quote = fill.fee_currency == instrument.quote
            fee = instrument.money_decimal(fill.fee) if in_quote else instrument.quantity_decimal(fill.fee)
            sums[fill.fee_currency] = sums.get(fill.fee_currency, Decimal(0)) + fee
    return {currency: format_decimal(fee) for currency, fee in sums.items()}
