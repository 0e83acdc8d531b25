from __future__ import annotations

from fractions import Fraction

import pytest

from qmtl.core.errors import Exhausted, InvalidRequest, NotFound
from tests.worldservice.allocation.books import F, shares
from worldservice.allocation.domain.amounts import exact_text, fraction_of, text_of, total
from worldservice.allocation.domain.budgets import Budget, budgets_of, follows_at_once
from worldservice.allocation.domain.shares import Owner, Terms, check_known, check_shares, share_of, shares_of

TERMS = Terms()


@pytest.mark.parametrize("text", ["-0.1", "1.000000001", "nan", "inf", "", "1e-3", "0.0000000001", " 0.1"])
def test_shares_that_are_refused(text: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        share_of(text, "worlds[0].share")
    assert refused.value.reason == "E_SHARE"
    assert "worlds[0].share" in str(refused.value)


@pytest.mark.parametrize("text", ["0", "1", "0.123456789"])
def test_shares_that_are_taken(text: str) -> None:
    assert text_of(share_of(text, "x"), 9) == text


def test_sums_tell_path_and_sum_together() -> None:
    with pytest.raises(InvalidRequest) as refused:
        check_shares(shares({"a": "0.5", "b": "0.481"}, {"a/s": "0.3", "a/t": "0.2001", "b/s": "0.4"}), TERMS)
    assert refused.value.reason == "E_SHARE"
    assert [v.field for v in refused.value.violations] == ["worlds", "strategies of a"]
    assert "0.981" in str(refused.value)
    assert "0.5001" in str(refused.value)
    check_shares(shares({"a": "0.5", "b": "0.48"}, {"a/s": "0.3", "a/t": "0.2"}), TERMS)
    check_shares(shares({"a": "1"}), Terms(cash_buffer=F(0)))


def test_a_strategy_of_a_world_without_share() -> None:
    with pytest.raises(InvalidRequest, match="strategies of b"):
        check_shares(shares({"a": "0.5"}, {"b/s": "0.1"}), TERMS)


def test_a_key_twice() -> None:
    for worlds, strategies in (([("a", "0.1")] * 2, []), ([("a", "0.5")], [("a", "s", "0.1")] * 2)):
        with pytest.raises(InvalidRequest) as refused:
            shares_of(worlds, strategies)
        assert refused.value.reason == "E_DUPLICATE_KEY"


def test_more_strategies_than_a_set_takes() -> None:
    with pytest.raises(Exhausted, match="2001 strategies"):
        shares_of([("a", "1")], [("a", f"s{i}", "0") for i in range(2_001)])


def test_worlds_and_strategies_that_nobody_knows() -> None:
    found = shares({"a": "0.5", "x": "0"}, {"a/s": "0.3", "a/t": "0"})
    with pytest.raises(NotFound, match="account main does not serve x") as world:
        check_known(found, ["a"], [], "main")
    with pytest.raises(NotFound, match="not bound: a/t") as strategy:
        check_known(found, ["a", "x"], [Owner("a", "s")], "main")
    assert (world.value.reason, strategy.value.reason) == ("E_WORLD_UNKNOWN", "E_STRATEGY_UNKNOWN")
    check_known(found, ["a", "x"], [Owner("a", "s"), Owner("a", "t")], "main")


def test_budgets_of_the_example() -> None:
    found = budgets_of(shares({"a": "0.25"}, {"a/s": "0.10"}), F(1_000_000), F(2))
    assert found == (Budget("a", "", F(500_000), F(250_000)), Budget("a", "s", F(200_000), F(100_000)))
    assert budgets_of(shares({"a": "0.25"}), F(-1), F(2)) == (Budget("a", "", F(0), F(0)),)


def test_equity_that_fell_far_is_followed_at_once() -> None:
    assert not follows_at_once(F(100), F(95))
    assert follows_at_once(F(100), F("94.99"))


def test_texts() -> None:
    assert exact_text(F("-0.458")) == "-0.458"
    assert text_of(F(1, 3), 4) == "0.3333"
    assert fraction_of("-12.50", "x") == F(-25, 2)
    with pytest.raises(ValueError, match="no exact decimal form"):
        exact_text(F(1, 3))


def test_a_total_is_the_exact_sum() -> None:
    values = [Fraction(1, 3), Fraction(-1, 7), Fraction(2, 3), Fraction(5), Fraction(1, 7)]
    assert total(values) == sum(values, Fraction(0)) == 6
    assert total([]) == 0
