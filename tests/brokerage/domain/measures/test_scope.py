"""Scopes: capital by shares, worlds over several accounts, and what cannot be measured is said and not made up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from fractions import Fraction

import pytest

from brokerage.domain.measures.daily import EPOCH, StrategyDays
from brokerage.domain.measures.scope import CASH, AccountMeasure, Holding, ShareSet, measure_account, measure_world
from brokerage.domain.orders.order import OPERATOR, Owner
from brokerage.risk_signals.wire import snapshot_to_proto
from qmtl.core.errors import NotReady
from tests.brokerage.domain.measures.test_daily import FIRST, X

USD = 10**8
A, B, C = Owner("acc", "w1", "a"), Owner("acc", "w1", "b"), Owner("acc", "w2", "a")


def account(
    days: Mapping[Owner, StrategyDays],
    *shares: ShareSet,
    name: str = "acc",
    worlds: tuple[str, ...] = ("w1",),
    equity: int = 1_000,
) -> AccountMeasure:
    return AccountMeasure(name, worlds, False, "USD", 7, FIRST * 86_400 * 10**9, equity * USD, days, shares, ())


def earned(*profits: int, equity: int = 1_000, first: int = FIRST - 3) -> StrategyDays:
    days = range(first, first + len(profits))
    return StrategyDays(
        {day: one * USD for day, one in zip(days, profits, strict=True)}, dict.fromkeys(days, equity * USD)
    )


def returns_of(values: Mapping[int, float]) -> dict[int, float]:
    return {day - EPOCH - FIRST: value for day, value in values.items()}


def test_a_strategy_that_trades_alone_has_the_whole_equity() -> None:
    found = measure_account(account({A: earned(10, -5)}))
    assert found.weights == {"w1/a": 1, CASH: 0}
    assert returns_of(found.returns["w1/a"]) == {-3: 0.01, -2: -0.005}
    assert (found.capital, found.sequence) == (1_000 * USD, 7)


def test_an_account_that_holds_nothing_is_cash() -> None:
    assert measure_account(account({})).weights == {CASH: 1}


def test_shares_divide_the_equity_from_the_day_on_that_begins_under_them() -> None:
    sets = (
        ShareSet(FIRST - 2, {A: Fraction(1, 2), B: Fraction(1, 4)}),
        ShareSet(FIRST - 1, {A: Fraction(1, 4)}),
    )
    found = measure_account(account({A: earned(10, 10, 10), B: earned(5, 5, 5)}, *sets))
    assert found.weights == {"w1/a": Fraction(1, 4), CASH: Fraction(3, 4)}
    assert returns_of(found.returns["w1/a"]) == {-2: 0.02, -1: 0.04}
    assert returns_of(found.returns["w1/b"]) == {-2: 0.02}


def test_a_world_adds_up_its_accounts_and_takes_of_a_shared_one_its_share() -> None:
    other = Owner("two", "w1", "a")
    shared = account(
        {A: earned(10), C: earned(0)}, ShareSet(0, {A: Fraction(1, 2), C: Fraction(1, 5)}), worlds=("w1", "w2")
    )
    alone = account({other: earned(30, equity=1_500)}, name="two", equity=1_500)
    found = measure_world("w1", [shared, alone])
    assert found.weights == {"a": 1, CASH: 0}
    assert found.capital == 2_000 * USD
    assert returns_of(found.returns["a"]) == {-3: 0.02}
    assert measure_world("w2", [shared]).capital == 200 * USD
    assert set(measure_account(shared).weights) == {"w1/a", "w2/a", CASH}


@pytest.mark.parametrize(
    ("accounts", "told"),
    [
        ([account({A: earned(1), B: earned(1)})], "w1/a has no share of account acc, where 2 strategies trade"),
        ([account({A: earned()})], "a has no whole day"),
        ([account({A: earned(1)}, equity=0)], "no capital"),
        ([account({A: earned(1)}), replace(account({}), currency="EUR")], "accounts are in EUR, USD"),
        ([account({A: earned(1), B: earned(1)}, ShareSet(0, {A: Fraction(1), B: Fraction(1)}))], "shares sum to 2"),
    ],
)
def test_what_is_not_known_is_said(accounts: list[AccountMeasure], told: str) -> None:
    with pytest.raises(NotReady, match=told):
        measure_world("w1", accounts)


def test_what_people_hold_is_no_strategys() -> None:
    by_hand = Holding(Owner("acc", OPERATOR, OPERATOR), X, 1, 1, 1, 0)
    with pytest.raises(NotReady, match="X is held by no strategy"):
        measure_account(replace(account({A: earned(1)}), holdings=(by_hand,)))


def test_a_measure_is_the_same_message_and_another_has_another_version() -> None:
    held = Holding(A, X, 3 * 10**X.quantity_scale, X.price_units(X.price_decimal(10**X.price_scale), "p"), 3 * USD, 1)
    one = replace(account({A: replace(earned(10, -5), closed=(FIRST - 1,))}), holdings=(held,))
    message = snapshot_to_proto(measure_account(one))
    assert message == snapshot_to_proto(measure_account(one))
    assert message.version.startswith(f"{date.fromordinal(EPOCH + FIRST):%Y%m%d}-p-7-")
    (series,), (exposure,) = message.returns, message.exposures
    assert (series.start_day, list(series.offsets), list(series.closed_offsets)) == ("2024-10-01", [], [2])
    assert (exposure.strategy_id, exposure.quantity, exposure.mark, exposure.notional) == ("w1/a", "3", "1", "3")
    later = snapshot_to_proto(measure_account(replace(one, sequence=8)))
    assert later.version != message.version
    live = snapshot_to_proto(measure_account(replace(one, live=True)))
    assert live.version.split("-")[1] == "l"
