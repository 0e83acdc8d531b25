"""Bars and columns made for tests of seamless."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from qmtl.calendars.calendars import AlwaysOpen
from seamless.domain.bars import VALUES, Bars
from seamless.domain.conformance.conform import conform
from seamless.domain.conformance.policies import TOLERANT, ConformancePolicy
from seamless.domain.conformance.raw_columns import RawColumns
from seamless.domain.conformance.report import ConformanceReport

STEP = 900 * 1_000_000_000
START = 1_632_700_800 * 1_000_000_000  # 2021-09-27T00:00Z


def raw(opens: list[int], **changed: Mapping[int, float]) -> RawColumns:
    """Rows that open at START + n * STEP for each n, flat at 100 but for the changed cells."""
    columns: dict[str, NDArray[np.generic]] = {"time": START + np.array(opens, np.int64) * STEP}
    for name in VALUES:
        values = np.full(len(opens), 10.0 if name == "volume" else 100.0)
        for row, value in changed.get(name, {}).items():
            values[row] = value
        columns[name] = values
    return RawColumns(columns, utc_known=True)


def judge(rows: RawColumns, policy: ConformancePolicy = TOLERANT) -> tuple[Bars, ConformanceReport]:
    return conform(rows, dataset="ohlcv:test:X:15m", interval_ns=STEP, calendar=AlwaysOpen(), policy=policy)


def walk(count: int, seed: int = 7) -> Bars:
    """A random walk without gaps."""
    noise = np.random.default_rng(seed)
    close = 100.0 + np.cumsum(noise.normal(size=count))
    open_ = np.concatenate(([100.0], close[:-1]))[:count]
    high, low = np.maximum(open_, close) + 0.5, np.minimum(open_, close) - 0.5
    time_ns = START + np.arange(count, dtype=np.int64) * STEP
    return Bars(time_ns, open_, high, low, close, np.full(count, 3.25), np.zeros(count, np.uint8))


def raw_of(table: Bars) -> RawColumns:
    """The columns of bars as a source would give them."""
    columns: dict[str, NDArray[np.generic]] = dict(zip(("time", *VALUES), table.columns(), strict=False))
    return RawColumns(columns, utc_known=True)
