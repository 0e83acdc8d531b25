"""What a replay assumes of execution, as a world's policy asks for it and as it is reported.

A policy may ask for more than the SDK's own default; whoever names no profile gets what is asked.
"""

from __future__ import annotations

from dataclasses import replace

from brokerage.domain.models.fees.percent import PercentFee
from brokerage.domain.models.profile import BrokerageProfile
from brokerage.domain.models.profiles.generic import spot
from brokerage.domain.models.profiles.named import PROFILES, profile_named
from brokerage.domain.models.slippage.model import ConstantSlippage
from brokerage.domain.money import RATE_SCALE, rate
from qmtl.core.decimals import format_decimal, from_scaled
from qmtl.sdk.execution.terms import AccountTerms
from qmtl.world.v1 import decision_pb2 as decisionpb


def asked_terms(terms: AccountTerms | None, asked: decisionpb.ExecutionModel) -> AccountTerms:
    """Terms that name a profile as they are; others with the profile that is asked by name, or the default profile made
    as strict as asked.

    Rates asked beyond 1e-8 are refused by `rate` (E_DECIMAL): they cannot be simulated.
    """
    known = terms or AccountTerms()
    if known.profile is not None:
        return known
    return replace(known, profile=asked.profile or _asked_profile(asked))


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


def _asked_profile(asked: decisionpb.ExecutionModel) -> BrokerageProfile:
    """The default with every rate that is asked and higher, and with less of a bar's volume where that is asked."""
    default = spot()
    maker, taker = default.fee.rates
    fee = PercentFee(max(maker, _rate(asked.maker_fee_rate)), max(taker, _rate(asked.taker_fee_rate)))
    slippage = ConstantSlippage(max(default.slippage.rate, _rate(asked.slippage_rate)))
    share = min(default.participation, _rate(asked.participation)) if asked.participation else default.participation
    return replace(default, fee=fee, slippage=slippage, participation=share)


def _rate(text: str) -> int:
    return rate(text) if text else 0


def _text(units: int) -> str:
    return format_decimal(from_scaled(units, RATE_SCALE))
