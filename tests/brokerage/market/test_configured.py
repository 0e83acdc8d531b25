"""Settings to the market: the venue's reality and the symbol-properties table, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

import pytest
from pydantic import ValidationError

from brokerage.config import ActionEntry, InstrumentEntry, Settings
from brokerage.domain.accounts.account import AccountType
from brokerage.domain.models.buying_power.model import BuyingPower
from brokerage.domain.models.corporate import Delisting, Dividend, Expiry, ShareExchange, Split
from brokerage.market.configured import market_of
from qmtl.core.errors import InvalidRequest, QmtlError
from qmtl.core.instants import to_ns
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


def acting(**fields: str) -> Settings:
    entry = {"symbol": "AAPL", "at": "2020-08-31T09:30:00-04:00"} | fields
    return Settings(actions=(ActionEntry(**entry),))  # type: ignore[arg-type]  # text that pydantic reads


def test_actions_are_by_symbol_in_order_of_time() -> None:
    entries = [
        ActionEntry(symbol="AAPL", at=datetime(2020, 8, 31, 13, 30, tzinfo=UTC), split="4/1"),
        ActionEntry(symbol="AAPL", at=datetime(2020, 8, 7, 13, 30, tzinfo=UTC), dividend="0.82"),
        ActionEntry(symbol="AAPL", at=datetime(2020, 8, 31, 13, 30, tzinfo=UTC), dividend="0.01"),
    ]
    split_ns = 1_598_880_600 * 10**9
    found = market_of(Settings(actions=tuple(entries))).actions["AAPL"]
    assert found == (
        Dividend("AAPL", 1_596_807_000 * 10**9, Decimal("0.82")),
        Split("AAPL", split_ns, Fraction(4)),
        Dividend("AAPL", split_ns, Decimal("0.01")),
    )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"split": "0"}, "E_FIELD.*split"),
        ({"split": "-2"}, "E_FIELD.*split"),
        ({"split": "1/0"}, "E_FIELD.*split"),
        ({"split": "1.5"}, "E_FIELD.*split"),
        ({"dividend": "0"}, "E_DECIMAL.*dividend"),
        ({"dividend": "-1"}, "E_DECIMAL.*dividend"),
        ({"dividend": "much"}, "E_DECIMAL.*dividend"),
        ({"dividend": "1e-30"}, "E_.*dividend"),
        ({"symbol": "NONE", "split": "2"}, "E_INSTRUMENT_UNKNOWN.*NONE"),
        ({"exchange": "1", "into": "NONE"}, "E_INSTRUMENT_UNKNOWN.*NONE"),
        ({"exchange": "1", "into": "AAPL"}, "E_FIELD.*into"),
        ({"exchange": "1"}, "E_FIELD.*into"),
        ({"exchange": "0", "into": "BTC-USD", "cash": "1"}, "E_FIELD.*into"),
        ({"exchange": "0"}, "E_FIELD.*into"),
        ({"exchange": "-1", "into": "BTC-USD"}, "E_FIELD.*exchange"),
        ({"exchange": "1", "into": "ES"}, "E_FIELD.*a contract"),
        ({"exchange": "1", "into": "BTCUSDT"}, "E_FIELD.*USD into USDT"),
        ({"exchange": "0", "cash": "-1"}, "E_DECIMAL.*cash"),
        ({"delisting": "soon"}, "E_DECIMAL.*delisting"),
        ({"delisting": "-1"}, "E_DECIMAL.*delisting"),
    ],
)
def test_an_action_that_is_none_is_refused(fields: dict[str, str], message: str) -> None:
    with pytest.raises(QmtlError, match=message):
        market_of(acting(**fields))


def test_endings_are_as_set() -> None:
    at_ns = to_ns(datetime(2020, 8, 31, 13, 30, tzinfo=UTC))
    made = {
        "merger": ({"exchange": "3/2", "into": "BTC-USD", "cash": "1.5"}, ("BTC-USD", Fraction(3, 2), Decimal("1.5"))),
        "cash": ({"exchange": "0", "cash": "2"}, ("", Fraction(0), Decimal(2))),
    }
    for fields, terms in made.values():
        market = market_of(acting(**fields))
        assert market.actions["AAPL"] == (ShareExchange("AAPL", at_ns, *terms),)
        assert market.endings == {"AAPL": at_ns}
    assert market_of(acting(delisting="none")).actions["AAPL"] == (Delisting("AAPL", at_ns),)
    assert market_of(acting(delisting="0")).actions["AAPL"] == (Delisting("AAPL", at_ns, Decimal(0)),)


def test_a_symbol_ends_once() -> None:
    one = ActionEntry(symbol="AAPL", at=datetime(2020, 8, 31, tzinfo=UTC), delisting="1")
    other = ActionEntry(symbol="AAPL", at=datetime(2020, 9, 1, tzinfo=UTC), exchange="0", cash="1")
    with pytest.raises(InvalidRequest, match=r"E_FIELD.*two exchanges or delistings"):
        market_of(Settings(actions=(one, other)))


def test_two_actions_of_one_kind_at_one_instant_are_refused() -> None:
    one = ActionEntry(symbol="AAPL", at=datetime(2020, 8, 31, tzinfo=UTC), split="4")
    with pytest.raises(InvalidRequest, match=r"E_FIELD.*two of one kind"):
        market_of(Settings(actions=(one, one)))


@pytest.mark.parametrize(
    "fields",
    [{}, {"split": "2", "dividend": "1"}, {"delisting": "1", "cash": "1"}, {"split": "2", "at": "2020-08-31T09:30:00"}],
)
def test_an_action_is_one_thing_at_an_instant_with_its_zone(fields: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        acting(**fields)


def test_settings_name_margin_tiers() -> None:
    rows = [
        {"notional_cap": "50000", "leverage_max": 125, "maintenance_rate": "0.004"},
        {"notional_cap": "600000", "leverage_max": 100, "maintenance_rate": "0.005", "maintenance_amount": "50"},
    ]
    entry = InstrumentEntry.model_validate({"base": "BTC", "quote": "USDT", "margin_tiers": rows})
    found = market_of(Settings(instruments={"BTCUSDT": entry})).instruments.find("BTCUSDT")
    assert found is not None
    assert found.margin_tiers.to_hold(100_000 * 10**8) == 450 * 10**8
    steep = entry.model_copy(update={"margin_tiers": entry.margin_tiers[::-1]})
    with pytest.raises(InvalidRequest, match="E_INSTRUMENT_INVALID: margin tier 1: maintenance amount 50"):
        market_of(Settings(instruments={"BTCUSDT": steep}))


def test_instruments_end_by_their_own_dates_where_no_action_says_how() -> None:
    listed, ends = datetime(2024, 1, 2, 14, 30, tzinfo=UTC), datetime(2024, 3, 15, 13, 30, tzinfo=UTC)
    known = {
        "ESH4": InstrumentEntry(base="ESH4", asset_class="FUTURE", listed_at=listed, delisted_at=ends),
        "GONE": InstrumentEntry(base="GONE", delisted_at=ends),
        "PAID": InstrumentEntry(base="PAID", delisted_at=ends),
    }
    told = ActionEntry(symbol="PAID", at=listed, delisting="0.12")
    market = market_of(Settings(instruments=known, actions=(told,)))
    found = market.instruments.find("ESH4")
    assert found is not None
    assert (found.listed_ns, found.delisted_ns) == (to_ns(listed), to_ns(ends))
    assert market.actions == {
        "ESH4": (Expiry("ESH4", to_ns(ends)),),
        "GONE": (Delisting("GONE", to_ns(ends)),),
        "PAID": (Delisting("PAID", to_ns(listed), Decimal("0.12")),),
    }
    assert market.endings == {"ESH4": to_ns(ends), "GONE": to_ns(ends), "PAID": to_ns(listed)}
    with pytest.raises(ValidationError):
        InstrumentEntry(base="ESH4", delisted_at=datetime(2024, 3, 15))  # noqa: DTZ001  # of no zone
