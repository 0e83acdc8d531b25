"""Accounts: values to messages."""

from __future__ import annotations

from brokerage.domain.accounts.account import Account, TradingState
from brokerage.domain.money import RATE_SCALE, money_text
from brokerage.instants import timestamp
from qmtl.broker.v1 import broker_pb2 as brokerpb
from qmtl.core.decimals import format_decimal, from_scaled


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


VENUE = "paper"
TRADING_STATES = {brokerpb.TradingState.Value(f"TRADING_STATE_{state.name}"): state for state in TradingState}
