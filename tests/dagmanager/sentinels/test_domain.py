"""Weights and the split of symbols between versions."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagmanager.sentinels import domain as rules
from dagmanager.sentinels.domain import Sentinel
from qmtl.core.errors import Conflict, InvalidRequest
from qmtl.core.traffic import version_of
from tests.dagmanager.graphs import NOW

SYMBOLS = [f"SYM{index}/USDT" for index in range(400)]
WEIGHT = st.floats(0.0, 1.0)


def sentinel(weight: float = 1.0) -> Sentinel:
    return Sentinel("s@1", "s", 1, "", weight, 1, NOW)


def owners(weights: dict[int, float]) -> dict[str, int | None]:
    return {symbol: version_of("s", symbol, weights) for symbol in SYMBOLS}


@given(st.dictionaries(st.integers(1, 9), WEIGHT, max_size=5))
def test_each_symbol_has_one_owner_that_does_not_depend_on_the_order_of_versions(weights: dict[int, float]) -> None:
    assert owners(weights) == owners(dict(reversed(weights.items())))
    assert set(owners(weights).values()) <= {*(v for v, weight in weights.items() if weight > 0), None}


@given(WEIGHT, WEIGHT)
def test_raising_the_canary_only_adds_symbols_to_it(one: float, other: float) -> None:
    low, high = sorted((one, other))
    before, after = owners({1: 1.0 - low, 2: low}), owners({1: 1.0 - high, 2: high})
    assert all(after[symbol] == 2 for symbol, version in before.items() if version == 2)


@given(st.text(), st.text())
def test_a_weight_of_one_alone_owns_every_symbol_and_of_zero_none(strategy_id: str, symbol: str) -> None:
    assert version_of(strategy_id, symbol, {3: 1.0}) == 3
    assert version_of(strategy_id, symbol, {3: 0.0}) is None
    assert version_of(strategy_id, symbol, {}) is None


def test_a_missing_share_goes_to_nobody() -> None:
    found = list(owners({1: 0.25}).values())
    assert set(found) == {1, None}
    assert 60 <= found.count(1) <= 140


def test_weights_above_one_are_scaled_down() -> None:
    found = list(owners({1: 1.0, 2: 1.0}).values())
    assert 150 <= found.count(1) <= 250
    assert None not in found


def test_the_split_is_the_same_in_every_process_and_language() -> None:
    """Fixed vectors: the hash, the salt and the rounding are part of the contract."""
    symbols = ("BTC-USD", "ETH-USD", "SOL-USD", "ADA-USD")
    assert [version_of("s", symbol, {1: 0.5, 2: 0.5}) for symbol in symbols] == [1, 1, 2, 1]


@pytest.mark.parametrize("weight", [-0.1, 1.1, math.nan, math.inf])
def test_a_weight_outside_zero_to_one_is_refused(weight: float) -> None:
    with pytest.raises(InvalidRequest) as caught:
        rules.with_weight(sentinel(), weight, "")
    assert caught.value.reason == "E_TRAFFIC_WEIGHT"
    with pytest.raises(ValueError, match="weight"):
        version_of("s", "x", {1: weight})


def test_a_submitted_weight_is_clamped_and_absent_is_one() -> None:
    assert [rules.clamped(weight) for weight in (None, -1.0, 0.3, 7.0)] == [1.0, 0.0, 0.3, 1.0]
    with pytest.raises(InvalidRequest):
        rules.clamped(math.nan)


def test_a_change_grows_the_revision_and_no_change_does_not() -> None:
    first = sentinel()
    changed = rules.with_weight(first, 0.5, first.etag)
    assert (changed.traffic_weight, changed.revision) == (0.5, 2)
    assert rules.with_weight(changed, 0.5, "") is changed
    with pytest.raises(Conflict) as caught:
        rules.with_weight(changed, 0.1, first.etag)
    assert caught.value.reason == "E_ETAG_MISMATCH"
