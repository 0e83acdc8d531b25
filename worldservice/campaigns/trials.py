"""The table of all variants' daily returns: read from Arrow, checked, and summed up."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from blake3 import blake3

from qmtl.core.errors import InvalidRequest, refused
from qmtl.stats.moments import sample_deviation
from qmtl.stats.overfitting import overfitting_probability
from qmtl.stats.ratios import sharpe
from worldservice.campaigns.domain.selection import CSCV_BLOCKS, DAYS_MIN, VARIANTS_MIN, TrialsSummary, with_earlier
from worldservice.campaigns.store import StoredTrials

VARIANTS_MAX, DAYS_MAX = 500, 5_000


@dataclass(frozen=True, slots=True, eq=False)
class TrialsTable:
    """A table that was put: what it comes to by itself, and its returns, shape (days, variants)."""

    summary: TrialsSummary
    returns: np.ndarray

    def after(self, earlier: Sequence[StoredTrials], put_at: datetime) -> StoredTrials:
        """The table after others, oldest first.

        A column that begins with all that is known of a variant is that variant on more days, one column each; any
        other is one more that was tried.
        """
        before = earlier[-1].summary if earlier else None
        numbers = dict.fromkeys(self._digests(len(self.returns)), 0)
        for days, known in sorted(_known(earlier, len(self.returns)).items(), reverse=True):
            for column, begin in zip(self._digests(len(self.returns)), self._digests(days), strict=True):
                number = known.get(begin, 0)
                if not numbers[column] and number not in numbers.values():
                    numbers[column] = number
        tried = 0 if before is None else before.tried
        for column in [column for column, number in numbers.items() if not number]:
            numbers[column] = tried = tried + 1
        return StoredTrials(put_at, with_earlier(self.summary, before, len(numbers), tried), numbers)

    def _digests(self, days: int) -> list[str]:
        """Of the first days of each column."""
        return [blake3(column.tobytes()).hexdigest(length=12) for column in self.returns[:days].T]


def _known(earlier: Sequence[StoredTrials], days_max: int) -> Mapping[int, Mapping[str, int]]:
    """Of each variant the longest column of at most so many days: its number by digest, by days."""
    longest = dict[int, tuple[int, str]]()
    for one in earlier:
        if (days := one.summary.days) <= days_max:
            for digest, number in one.variants.items():
                longest[number] = max(longest.get(number, (0, "")), (days, digest))
    found = dict[int, dict[str, int]]()
    for number, (days, digest) in longest.items():
        found.setdefault(days, {})[digest] = number
    return found


def trials_table(body: bytes, said: str) -> TrialsTable:
    """A table as it was put. Raises InvalidRequest (E_TRIALS_TABLE)."""
    found = f"blake3:{blake3(body).hexdigest()}"
    if said != found:
        raise refused("E_TRIALS_TABLE", "trials_hash", said, found)
    returns = _returns(body)
    days, variants = returns.shape
    ratios = np.array([ratio for ratio in (sharpe(column, 1.0) for column in returns.T) if math.isfinite(ratio)])
    known = variants >= VARIANTS_MIN and days >= DAYS_MIN
    pbo = overfitting_probability(returns, CSCV_BLOCKS) if known else None
    spread = sample_deviation(ratios) if len(ratios) > 1 else None
    return TrialsTable(TrialsSummary(found, variants, days, spread, pbo), returns)


def _returns(body: bytes) -> np.ndarray:
    import pyarrow as pa

    try:
        table = pa.ipc.open_stream(pa.BufferReader(body)).read_all()
    except pa.ArrowException as error:
        raise InvalidRequest("E_TRIALS_TABLE", f"returns_arrow is no Arrow IPC stream: {str(error)[:200]}") from None
    if not 0 < table.num_columns <= VARIANTS_MAX or not 1 < table.num_rows <= DAYS_MAX:
        shape = f"{table.num_columns} columns of {table.num_rows} rows"
        raise refused("E_TRIALS_TABLE", "returns_arrow", shape, f"1 to {VARIANTS_MAX} columns of 2 to {DAYS_MAX} rows")
    for name, column in zip(table.column_names, table.columns, strict=True):
        if column.type != pa.float64() or column.null_count:
            raise refused("E_TRIALS_TABLE", f"returns_arrow.{name}", column.type, "float64 without nulls")
    returns = np.column_stack([column.to_numpy() for column in table.columns])
    if not np.isfinite(returns).all() or (returns < -1.0).any():
        raise refused("E_TRIALS_TABLE", "returns_arrow", "a value that is not finite or below -1", "simple returns")
    return returns
