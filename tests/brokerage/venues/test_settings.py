"""Venues of the settings: each is an account of its own."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from brokerage.config import Settings

MAIN = {"exchange": "binance", "symbols": ["BTC/USDT"]}


def test_two_venues_are_no_one_account() -> None:
    with pytest.raises(ValidationError, match="venues one and two are one account of binance"):
        Settings.model_validate({"venues": {"one": MAIN, "two": {**MAIN, "symbols": ["ETH/USDT"]}}})


@pytest.mark.parametrize("apart", [{"market": "usdm"}, {"credentials": "other"}, {"stage": "testnet"}])
def test_venues_of_other_logins_or_wallets_are_apart(apart: dict[str, str]) -> None:
    found = Settings.model_validate({"venues": {"one": MAIN, "two": {**MAIN, **apart}}})
    assert set(found.venues) == {"one", "two"}
