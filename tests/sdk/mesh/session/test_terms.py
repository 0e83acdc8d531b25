"""The account of a paper session: the world's, or one's own where there is no policy."""

from decimal import Decimal as D

import pytest

from brokerage.domain.models.profiles.generic import at_least, spot
from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.core.errors import InvalidRequest
from qmtl.sdk.mesh.session.account.opening import paper_account
from qmtl.sdk.mesh.session.account.profile import profile_of
from qmtl.sdk.mesh.session.terms import SessionTerms
from qmtl.world.v1 import decision_pb2 as decisionpb

MARGIN = accountpb.AccountModel(
    type=accountpb.ACCOUNT_TYPE_MARGIN, leverage=3, starting_cash="5000", taker_fee_rate_min="0.002"
)


def asked(model: accountpb.AccountModel | None, **terms: object) -> tuple[object, ...]:
    decision = decisionpb.DecisionEnvelope(world_id="w", account_model=model)
    made = paper_account(decision, SessionTerms(**terms))  # type: ignore[arg-type]  # by name
    return made.type, made.leverage, made.starting_cash, made.fee_rate, made.profile


def test_without_a_policy_the_terms_are_ones_own() -> None:
    assert asked(None) == (0, 0, "100000", "0.001", "")
    assert asked(None, cash=D(7), fee_rate=D("0.01")) == (0, 0, "7", "0.01", "")
    assert asked(None, profile="ibkr_equities") == (0, 0, "100000", "", "ibkr_equities")


def test_with_a_policy_they_are_the_worlds() -> None:
    assert asked(MARGIN) == asked(MARGIN, cash=D(5000), fee_rate=D("0.001")) == (2, 3, "5000", "0.001", "")
    named = accountpb.AccountModel(starting_cash="100000", profile="coinbase_spot")
    assert asked(named, profile="coinbase_spot") == (0, 0, "100000", "", "coinbase_spot")


def test_an_account_asks_for_the_costs_that_a_backtest_has() -> None:
    least = ("0.0002", "0.002", "0.0005", "0.02")
    fields = ("maker_fee_rate_min", "taker_fee_rate_min", "slippage_rate_min", "participation_max")
    model = accountpb.AccountModel(starting_cash="1", **dict(zip(fields, least, strict=True)))  # type: ignore[arg-type]
    made = paper_account(decisionpb.DecisionEnvelope(world_id="w", account_model=model), SessionTerms())
    assert tuple(getattr(made, field) for field in fields) == least
    opened = accountpb.Account(fee_rate=made.fee_rate, **dict(zip(fields, least, strict=True)))  # type: ignore[arg-type]
    assert profile_of(opened) == at_least(spot(), *least)


@pytest.mark.parametrize("own", [{"cash": D(1)}, {"fee_rate": D(0)}, {"profile": "coinbase_spot"}])
def test_others_are_refused(own: dict[str, object]) -> None:
    with pytest.raises(InvalidRequest, match=f"E_FIELD: terms.{next(iter(own))}"):
        asked(MARGIN, **own)
