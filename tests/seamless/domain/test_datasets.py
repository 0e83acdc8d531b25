"""Dataset names: any symbol fits, one dataset has one name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmtl.core.errors import InvalidRequest
from seamless.domain.datasets import WEEK_S, DatasetId, Kind, format_interval, parse_dataset, parse_interval

_text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)


@given(st.sampled_from(Kind), _text, _text, st.integers(1, WEEK_S).filter(lambda s: s < 10**6))
def test_every_identity_round_trips(kind: Kind, source: str, symbol: str, interval_s: int) -> None:
    dataset = DatasetId(kind, source, symbol, interval_s)
    assert parse_dataset(str(dataset)) == dataset


def test_a_perpetual_symbol_is_percent_encoded() -> None:
    dataset = DatasetId(Kind.OHLCV, "binance", "BTC/USDT:USDT", 60)
    assert str(dataset) == "ohlcv:binance:BTC%2FUSDT%3AUSDT:1m"


@pytest.mark.parametrize(
    "text",
    [
        "ohlcv:x:BTC:15m:more",
        "ohlcv:x:BTC",
        "bars:x:BTC:15m",
        "ohlcv:x:BTC/USD:15m",
        "ohlcv:x:BTC%2fUSD:15m",
        "ohlcv:x::15m",
        "ohlcv:x:%FF:15m",
        "ohlcv:x:BTC:60m",
        "ohlcv:x:BTC:0m",
        "ohlcv:x:BTC:2w",
        "ohlcv:x:BTC:1M",
    ],
)
def test_other_spellings_are_refused(text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_dataset(text)
    assert caught.value.reason in {"E_DATASET_NAME", "E_INTERVAL"}


@pytest.mark.parametrize(("text", "seconds"), [("1s", 1), ("15m", 900), ("4h", 14_400), ("1d", 86_400), ("1w", WEEK_S)])
def test_intervals(text: str, seconds: int) -> None:
    assert (parse_interval(text), format_interval(seconds)) == (seconds, text)
