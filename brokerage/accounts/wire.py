"""Accounts: values to messages, and the words of requests about them."""

from __future__ import annotations

from collections.abc import Sequence

from brokerage.domain.accounts.account import Account, AccountFeed, AccountType, TradingState
from brokerage.domain.money import RATE_SCALE, money_text
from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.core.decimals import format_decimal, from_scaled
from qmtl.wire.instants import ns_to_proto

VENUE = "paper"
TRADING_STATES = {accountpb.TradingState.Value(f"TRADING_STATE_{state.name}"): state for state in TradingState}
ACCOUNT_TYPES = {accountpb.AccountType.Value(f"ACCOUNT_TYPE_{kind.name}"): kind for kind in AccountType}


def account_to_proto(account: Account, worlds: Sequence[str]) -> accountpb.Account:
    """An account with the worlds that may use it, as far as the caller may know of them."""
    return accountpb.Account(
        account=account.account,
        type=f"ACCOUNT_TYPE_{account.type.name}",
        venue=account.venue,
        base_currency=account.base_currency,
        starting_cash=money_text(account.base_currency, account.starting_cash),
        worlds=worlds,
        feeds=[_feed_to_proto(feed) for feed in account.feeds],
        fee_rate=format_decimal(from_scaled(account.fee_rate, RATE_SCALE)),
        leverage=account.leverage,
        trading_state=f"TRADING_STATE_{account.trading_state.name}",
        created_at=ns_to_proto(account.created_ns),
    )


def _feed_to_proto(feed: AccountFeed) -> accountpb.AccountFeed:
    return accountpb.AccountFeed(
        data_preset=feed.preset,
        data_session_id=feed.session_id,
        symbol=feed.symbol,
        venue_time=ns_to_proto(feed.position_ns) if feed.position_ns else None,
    )
