"""Accounts: values to messages, and the words of requests about them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from google.protobuf import duration_pb2 as durationpb

from brokerage.domain.accounts.account import Account, AccountFeed, AccountType, TradingState
from brokerage.domain.accounts.limits import AccountLimits, Budget
from brokerage.domain.models.profile import BrokerageProfile
from brokerage.domain.models.profiles.generic import at_least
from brokerage.domain.money import RATE_ONE, RATE_SCALE, currency_scale, money_text
from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.broker.v1 import account_service_pb2 as accountservicepb
from qmtl.core.decimals import INT64_MAX, format_decimal, from_scaled, parse_decimal, to_scaled
from qmtl.core.errors import refused
from qmtl.wire.fields import optional_text, require_text
from qmtl.wire.instants import ns_to_proto

VENUE = "paper"
BUDGETS_MAX = 5_000
TRADING_STATES = {accountpb.TradingState.Value(f"TRADING_STATE_{state.name}"): state for state in TradingState}
ACCOUNT_TYPES = {accountpb.AccountType.Value(f"ACCOUNT_TYPE_{kind.name}"): kind for kind in AccountType}
CURRENCY = re.compile(r"[A-Z]{3,10}", re.ASCII)
CASH_DEFAULT = "100000"
FEE_DEFAULT = "0.001"
LEVERAGE_MAX = 125
FEE_RATE_MAX = RATE_ONE // 10
CASH_MAX = INT64_MAX // 100  # a hundredfold gain still fits; an account that overflows stops the feed of all others


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
        fee_rate=fee_text(account),
        profile=account.profile,
        maker_fee_rate_min=account.costs[0],
        taker_fee_rate_min=account.costs[1],
        slippage_rate_min=account.costs[2],
        participation_max=account.costs[3],
        leverage=account.leverage,
        trading_state=f"TRADING_STATE_{account.trading_state.name}",
        created_at=ns_to_proto(account.created_ns),
        limits=limits_to_proto(account.limits, account.base_currency) if account.limits.revision else None,
        limits_revision=account.limits.revision,
    )


def limits_from_proto(message: accountpb.AccountLimits, revision: int, currency: str) -> AccountLimits:
    """Limits of an account in a base currency. Raises InvalidRequest (E_DECIMAL, E_FIELD)."""
    if revision < 1:
        raise refused("E_FIELD", "revision", revision, "1 or more")
    if len(message.budgets) > BUDGETS_MAX:
        raise refused("E_FIELD", "limits.budgets", len(message.budgets), f"at most {BUDGETS_MAX}")
    scale = currency_scale(currency)
    budgets = tuple(
        _budget_from_proto(budget, f"limits.budgets[{n}]", scale) for n, budget in enumerate(message.budgets)
    )
    if len({(budget.world_id, budget.strategy_id) for budget in budgets}) < len(budgets):
        raise refused("E_FIELD", "limits.budgets", "a world and strategy twice", "one budget for each")
    return AccountLimits(
        revision=revision,
        gross_max=_most(message.gross_max, "limits.gross_max", scale),
        net_max=_most(message.net_max, "limits.net_max", scale),
        leverage_max=_most(message.leverage_max, "limits.leverage_max", RATE_SCALE),
        symbol_max=_most(message.symbol_max, "limits.symbol_max", RATE_SCALE),
        sector_max=_most(message.sector_max, "limits.sector_max", RATE_SCALE),
        budgets=budgets,
    )


def limits_to_proto(limits: AccountLimits, currency: str) -> accountpb.AccountLimits:
    """The inverse of limits_from_proto."""
    scale = currency_scale(currency)
    return accountpb.AccountLimits(
        gross_max=_written(limits.gross_max, scale),
        net_max=_written(limits.net_max, scale),
        leverage_max=_written(limits.leverage_max, RATE_SCALE),
        symbol_max=_written(limits.symbol_max, RATE_SCALE),
        sector_max=_written(limits.sector_max, RATE_SCALE),
        budgets=[
            accountpb.AccountBudget(
                world_id=budget.world_id,
                strategy_id=budget.strategy_id,
                gross_max=_written(budget.gross_max, scale),
                capital=_written(budget.capital, scale),
            )
            for budget in limits.budgets
        ],
    )


def _budget_from_proto(message: accountpb.AccountBudget, field: str, scale: int) -> Budget:
    most = _most(message.gross_max, f"{field}.gross_max", scale)
    if most is None:
        raise refused("E_DECIMAL", f"{field}.gross_max", "''", "0 or more")
    world_id = require_text(message.world_id, f"{field}.world_id", 128)
    strategy_id = optional_text(message.strategy_id, f"{field}.strategy_id", 128)
    return Budget(world_id, strategy_id, most, _most(message.capital, f"{field}.capital", scale))


def _most(written: str, field: str, scale: int) -> int | None:
    if not written:
        return None
    units = to_scaled(parse_decimal(written, field), scale)
    if units < 0:
        raise refused("E_DECIMAL", field, written, "0 or more")
    return units


def _written(units: int | None, scale: int) -> str:
    return "" if units is None else format_decimal(from_scaled(units, scale))


def _feed_to_proto(feed: AccountFeed) -> accountpb.AccountFeed:
    return accountpb.AccountFeed(
        data_preset=feed.preset,
        data_session_id=feed.session_id,
        symbol=feed.symbol,
        venue_time=ns_to_proto(feed.position_ns) if feed.position_ns else None,
        interval=durationpb.Duration(seconds=feed.interval_s),
    )


def starting_money(currency: str, written: str) -> tuple[str, int]:
    """The base currency asked for and its starting cash, scaled. Raises InvalidRequest (E_NAME, E_DECIMAL)."""
    currency = currency or "USD"
    require_currency(currency)
    money = to_scaled(parse_decimal(written or CASH_DEFAULT, "starting_cash"), currency_scale(currency))
    if not 0 < money <= CASH_MAX:
        raise refused("E_DECIMAL", "starting_cash", written, f"more than 0, {CASH_MAX} units at most")
    return currency, money


def leverage_of(asked: int, kind: AccountType, default: BrokerageProfile, field: str) -> int:
    """The leverage asked for, or that of a profile; 1 of a CASH account. Raises InvalidRequest (E_FIELD)."""
    if asked > LEVERAGE_MAX or (kind is AccountType.CASH and asked > 1):
        raise refused("E_FIELD", field, asked, f"1 for CASH, at most {LEVERAGE_MAX}")
    return (asked or default.leverage) if kind is AccountType.MARGIN else 1


def fee_rate_of(written: str, profile: str) -> int:
    """The percent fee asked for; 0 beside a profile, which has the fees. Raises InvalidRequest (E_DECIMAL, E_FIELD)."""
    if profile and written:
        raise refused("E_FIELD", "fee_rate", written, f"none beside profile {profile}, which has the fees")
    fee = 0 if profile else to_scaled(parse_decimal(written or FEE_DEFAULT, "fee_rate"), RATE_SCALE)
    if not 0 <= fee <= FEE_RATE_MAX:
        raise refused("E_DECIMAL", "fee_rate", written, "0 to 0.1")
    return fee


def fee_text(account: Account) -> str:
    """The percent fee of an account, a fraction of the notional; empty: its profile has the fees."""
    return "" if account.profile else format_decimal(from_scaled(account.fee_rate, RATE_SCALE))


def costs_of(
    asked: accountpb.AccountModel | accountservicepb.OpenPaperAccountRequest, field: str, own: BrokerageProfile
) -> tuple[str, str, str, str]:
    """The least maker fee, taker fee and slippage, and the largest participation, as `at_least` takes them.

    Raises InvalidRequest (E_FIELD, E_DECIMAL): costs beside a profile, which has its own, or what are no shares.
    """
    costs = asked.maker_fee_rate_min, asked.taker_fee_rate_min, asked.slippage_rate_min, asked.participation_max
    if asked.profile and any(costs):
        given = ", ".join(filter(None, costs))
        raise refused("E_FIELD", field, given, f"no costs beside profile {asked.profile}, which has its own")
    at_least(own, *costs)
    maker, taker, slippage, participation = (format_decimal(parse_decimal(one, field)) if one else "" for one in costs)
    return maker, taker, slippage, participation


def world_from_proto(world_id: str, field: str = "world_id") -> str:
    """The name of a world that is to use an account.

    Raises InvalidRequest (E_FIELD, E_NAME): "@operator" and the like are owners in no world.
    """
    if world_id.startswith("@"):
        raise refused("E_NAME", field, world_id[:80], "a world: names that begin with @ are brokerage's own")
    return require_text(world_id, field, 128)


def require_currency(currency: str) -> None:
    """Raises InvalidRequest (E_NAME) for what is no currency."""
    if not CURRENCY.fullmatch(currency):
        raise refused("E_NAME", "base_currency", repr(currency[:20]), "3 to 10 capital letters")
