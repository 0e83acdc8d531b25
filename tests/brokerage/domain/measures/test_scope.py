"""Scopes: capital by shares, worlds over several accounts, and what cannot be measured is said and not made up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from fractions import Fraction

import pytest

from brokerage.domain.measures.daily import EPOCH, StrategyDays
from brokerage.domain.measures.scope import CASH, AccountMeasure, Holding, ShareSet, measure_account, measure_world
from brokerage.domain.orders.order import OPERATOR, OVERLAY, Owner
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


HAND, IN_WORLD, HEDGE = Owner("acc", OPERATOR, OPERATOR), Owner("acc", "w1", OPERATOR), Owner("acc", "w1", OVERLAY)


def with_others(sets: ShareSet, **days: StrategyDays) -> AccountMeasure:
    """Strategy A beside who is no strategy and holds X."""
    others = {{"hand": HAND, "in_world": IN_WORLD, "hedge": HEDGE}[name]: one for name, one in days.items()}
    holdings = tuple(Holding(owner, X, 1, 1, 1, 0) for owner in others)
    return replace(account({A: earned(10, -5)}, sets), others=others, holdings=holdings)


def test_what_no_strategy_holds_is_a_line_of_its_own_out_of_what_the_shares_leave() -> None:
    sets = ShareSet(FIRST - 3, {A: Fraction(1, 2), HEDGE: Fraction(1, 10)})
    made = with_others(sets, hand=earned(4, 2), in_world=earned(1, 1), hedge=earned(-3, 0))
    found = measure_account(made)
    assert found.weights == {
        "@operator": Fraction(1, 5), "w1/@operator": Fraction(1, 5), "w1/@overlay": Fraction(1, 10),
        "w1/a": Fraction(1, 2), CASH: 0,
    }  # fmt: skip
    for day, profit in ((-3, 12), (-2, -2)):
        whole = sum(float(found.weights[name]) * found.returns[name][EPOCH + FIRST + day] for name in found.returns)
        assert whole == pytest.approx(profit / 1_000), "each adds its profit over equity, whatever its share"
    world = measure_world("w1", [made])
    assert set(world.weights) == {"a", "@operator", "@overlay", CASH}, "what is in no world is not the world's"
    assert {name for name, _ in world.holdings} == {"@operator", "@overlay"}
    assert world.capital == 1_000 * USD


def test_a_world_of_a_shared_account_has_the_capital_of_its_lines() -> None:
    sets = ShareSet(FIRST - 3, {A: Fraction(1, 2)})
    made = replace(with_others(sets, hand=earned(4, 2), in_world=earned(1, 1)), worlds=("w1", "w2"))
    found = measure_world("w1", [made])
    assert found.capital == 750 * USD
    assert found.weights == {"a": Fraction(2, 3), "@operator": Fraction(1, 3), CASH: 0}


def test_where_the_shares_leave_nothing_for_what_is_held_by_hand_that_is_said() -> None:
    for made in (
        with_others(ShareSet(FIRST - 3, {A: Fraction(1)}), hand=earned(1, 1)),
        replace(with_others(ShareSet(FIRST - 3, {}), hand=earned(1, 1)), shares=()),
    ):
        with pytest.raises(NotReady, match="@operator holds something, and the shares of account acc leave nothing"):
            measure_account(made)
    with pytest.raises(NotReady, match="@operator has no whole day"):
        measure_account(with_others(ShareSet(FIRST - 3, {A: Fraction(1, 2)}), hand=earned()))


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
