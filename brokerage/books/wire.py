"""Positions, cash and portfolios: values to messages."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from brokerage.domain.accounts.account import Account
from brokerage.domain.accounts.portfolio import PositionView
from brokerage.domain.money import money_text
from brokerage.instants import timestamp
from qmtl.broker.v1 import broker_pb2 as brokerpb
from qmtl.core.decimals import format_decimal


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


def total(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, Decimal(0))
