"""Limits and kinds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmtl.core.errors import InvalidRequest
from qmtl.sdk.graph.names import check_period, check_tags, parse_interval, tag_of


@pytest.mark.parametrize(("text", "seconds"), [("1s", 1), ("15m", 900), ("1h", 3600), ("1d", 86_400), ("1w", 604_800)])
def test_interval_is_read(text: str, seconds: int) -> None:
    assert parse_interval(text) == seconds


@pytest.mark.parametrize("text", ["", "0s", "15", "m", "2w", "1y", "-1m", "1.5h", " 1m", "99999999999999s", "1M"])
def test_bad_interval_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_interval(text)
    assert refused.value.reason == "E_INTERVAL"


@pytest.mark.parametrize("period", [0, -1, 10_001, True, 1.0])
def test_bad_period_is_refused(period: int) -> None:
    with pytest.raises(InvalidRequest, match="E_PERIOD"):
        check_period(period)


def test_tags_are_trimmed_unique_sorted() -> None:
    assert check_tags([" b", "a", "b "]) == ("a", "b")


@pytest.mark.parametrize("tag", ["", "a b", "ü", "x" * 101, "a/b"])
def test_bad_tag_is_refused(tag: str) -> None:
    with pytest.raises(InvalidRequest, match="E_TAG"):
        check_tags([tag])


@given(st.text(min_size=1))
def test_any_symbol_makes_a_legal_tag(symbol: str) -> None:
    assert check_tags([tag_of(symbol)])
