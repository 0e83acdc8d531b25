"""Settings to the market: the venue's reality and the symbol-properties table, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from brokerage.config import InstrumentEntry, Settings
from brokerage.domain.accounts.account import AccountType
from brokerage.domain.models.buying_power.model import BuyingPower
from brokerage.market.configured import market_of
from qmtl.core.errors import InvalidRequest
from tests.brokerage.samples import ACCOUNT


def test_the_defaults_are_spot() -> None:
    market = market_of(Settings())
    profile = market.profile_of(ACCOUNT)
    assert (profile.buying_power, profile.participation, profile.slippage.rate) == (BuyingPower.CASH, 10_000_000, 0)
    assert profile.fee.rates == (100_000, 100_000)
    assert market.instruments.find("SAP") is None


def test_settings_add_instruments_and_choose_the_reality() -> None:
    entry = InstrumentEntry(base="SAP", quote="EUR", tick="0.05")
    market = market_of(
        Settings(
            buying_power="margin", leverage=3, slippage="0.0005", order_notional_max="5000", instruments={"SAP": entry}
        )
    )
    found = market.instruments.find("SAP")
    assert found is not None
    assert (found.price_decimal(found.tick), found.quote) == (Decimal("0.05"), "EUR")
    profile = market.profile_of(replace(ACCOUNT, type=AccountType.MARGIN, leverage=3))
    assert (profile.buying_power, profile.leverage, profile.slippage.rate) == (BuyingPower.MARGIN, 3, 50_000)
    assert market.limits.order_notional_max == 5_000 * 10**8


@pytest.mark.parametrize("field", ["slippage", "participation", "order_notional_max"])
def test_a_number_that_is_none_is_refused(field: str) -> None:
    settings = Settings(**{field: "a lot"})  # type: ignore[arg-type]  # one field by name
    with pytest.raises(InvalidRequest, match="E_DECIMAL"):
        market_of(settings)
