"""The account of a replay, which is the world's, and what is reported of its execution."""

from __future__ import annotations

from dataclasses import replace

from brokerage.domain.models.buying_power.model import BuyingPower
from brokerage.domain.models.profile import BrokerageProfile
from brokerage.domain.models.profiles.generic import at_least, spot
from brokerage.domain.models.profiles.named import PROFILES, profile_named
from brokerage.domain.money import RATE_SCALE
from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.core.decimals import format_decimal, from_scaled, parse_decimal
from qmtl.core.errors import refused
from qmtl.sdk.execution.terms import AccountTerms
from qmtl.world.v1 import decision_pb2 as decisionpb

KINDS = {accountpb.ACCOUNT_TYPE_CASH: BuyingPower.CASH, accountpb.ACCOUNT_TYPE_MARGIN: BuyingPower.MARGIN}


def world_terms(terms: AccountTerms | None, decision: decisionpb.DecisionEnvelope) -> AccountTerms:
    """The terms of a replay with the account that the world's policy asks for; without a policy they are one's own.

    Raises InvalidRequest (E_FIELD) for a profile or cash of one's own that is not the world's, (E_PROFILE_UNKNOWN).
    """
    known = terms or AccountTerms()
    if not decision.HasField("account_model"):
        return known
    model = decision.account_model
    profile, cash = profile_of(model), parse_decimal(model.starting_cash, "account_model.starting_cash")
    if known.profile is not None and known.brokerage != profile:
        want = f"none: the account is world {decision.world_id}'s, of profile {model.profile or profile.name}"
        raise refused("E_FIELD", "terms.profile", known.brokerage.name, want)
    if known.cash not in (AccountTerms().cash, cash):
        raise refused(
            "E_FIELD", "terms.cash", known.cash, f"none: the account is world {decision.world_id}'s, of {cash}"
        )
    return replace(known, profile=profile, cash=cash)


def profile_of(model: accountpb.AccountModel) -> BrokerageProfile:
    """The profile of a world's account as brokerage makes it. Raises InvalidRequest (E_PROFILE_UNKNOWN)."""
    if model.profile:
        made = profile_named(model.profile)
    else:
        costs = model.maker_fee_rate_min, model.taker_fee_rate_min, model.slippage_rate_min, model.participation_max
        made = at_least(spot(), *costs)
    kind = KINDS.get(model.type, made.buying_power)
    leverage = (model.leverage or made.leverage) if kind is BuyingPower.MARGIN else 1
    return replace(made, buying_power=kind, leverage=leverage)


def model_of(terms: AccountTerms) -> decisionpb.ExecutionModel:
    """What a replay under these terms assumes: of a fee the shares of the notional that it never falls below, and the
    name of the profile where it is one as it is named.
    """
    profile = terms.brokerage
    maker, taker = profile.fee.rates
    return decisionpb.ExecutionModel(
        fill=decisionpb.FILL_MODEL_NEXT_BAR,
        maker_fee_rate=_text(maker),
        taker_fee_rate=_text(taker),
        slippage_rate=_text(profile.slippage.rate),
        participation=_text(profile.participation),
        profile=profile.name if profile.name in PROFILES and profile == profile_named(profile.name) else "",
    )


def _text(units: int) -> str:
    return format_decimal(from_scaled(units, RATE_SCALE))
