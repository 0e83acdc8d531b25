"""What kind of account it is: at an exchange or on paper, and its brokerage profile as its brokerage has it."""

from __future__ import annotations

from dataclasses import replace

from brokerage.domain.models.buying_power.model import BuyingPower
from brokerage.domain.models.fees.percent import PercentFee
from brokerage.domain.models.profile import BrokerageProfile
from brokerage.domain.models.profiles.generic import at_least
from brokerage.domain.models.profiles.named import profile_named
from brokerage.domain.money import RATE_SCALE
from brokerage.domain.orders.venue_traits import PAPER
from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.core.decimals import parse_decimal, to_scaled
from qmtl.core.errors import refused


def is_live(account: accountpb.Account) -> bool:
    """Whether its orders go to an exchange."""
    return account.venue not in ("", PAPER.name)


def profile_of(account: accountpb.Account) -> BrokerageProfile:
    """Fees, buying power and rules of money; where no profile is named, slippage and participation are what the account
    asks at least: what its brokerage is set up with beyond that is not told.

    Raises InvalidRequest (E_PROFILE_UNKNOWN, E_FIELD): the brokerage knows a profile that this library does not, or
    tells no fees: what they are is not guessed.
    """
    if account.profile:
        made = profile_named(account.profile)
    else:
        if not account.fee_rate:
            raise refused("E_FIELD", f"fee_rate of account {account.account}", "empty", "a fee or a profile")
        rate = to_scaled(parse_decimal(account.fee_rate, "account.fee_rate"), RATE_SCALE)
        costs = account.maker_fee_rate_min, account.taker_fee_rate_min, account.slippage_rate_min
        made = at_least(BrokerageProfile(fee=PercentFee(rate, rate)), *costs, account.participation_max)
    kind = BuyingPower.MARGIN if account.type == accountpb.ACCOUNT_TYPE_MARGIN else BuyingPower.CASH
    return replace(made, buying_power=kind, leverage=max(account.leverage, 1))
