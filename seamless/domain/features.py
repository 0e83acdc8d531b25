"""Feature artifacts: the outputs of a node over sealed data, kept under what they were made of.

A key names the factor, its interval, parameters and instrument, and the fingerprint of the rows that it was computed
from; each row is the value at an instant, the close of the bar that made it known. Same key, same rows: other rows
under a key are refused, so that what was read once is read again.

    feature = SHA-256("qmtl-feature-1\\n{key as canonical JSON}\\n{columns, comma separated}\\n"
                      + one "{time_ns},{v},...\\n" a row)

BACKTEST and DRYRUN write and read, both only what was known at their as_of; LIVE and SHADOW only read.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qmtl.core.errors import InvalidRequest, NotReady, refused
from qmtl.core.identity.canonical import Json, canonical_json
from qmtl.core.modes import ExecutionDomain
from seamless.domain.datasets import format_interval
from seamless.domain.fingerprints import decimals

ROWS_MAX = 1_000_000
COLUMNS_MAX = 64
PARAMS_BYTES_MAX = 4096
WRITERS = frozenset({ExecutionDomain.BACKTEST, ExecutionDomain.DRYRUN})
_FACTOR = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
_COLUMN = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


@dataclass(frozen=True, slots=True)
class FeatureKey:
    """What a feature is made of; `params` is canonical JSON."""

    factor: str
    interval_s: int
    params: str
    instrument: str
    dataset_fingerprint: str

    @property
    def text(self) -> str:
        """The key as canonical JSON."""
        fields: Mapping[str, Json] = {
            "dataset_fingerprint": self.dataset_fingerprint,
            "factor": self.factor,
            "instrument": self.instrument,
            "interval": format_interval(self.interval_s),
            "params": self.params,
        }
        return canonical_json(fields).decode()


@dataclass(frozen=True, slots=True, eq=False)
class FeatureRows:
    """Values by instant: one row each, a column for each name."""

    time_ns: NDArray[np.int64]
    columns: Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Feature:
    """One sealed feature of a world. `as_of_ns` is that of the data it was made from."""

    world_id: str
    fingerprint: str
    key: FeatureKey
    as_of_ns: int
    first_ns: int
    last_ns: int
    rows: int
    columns: tuple[str, ...]
    schema: str
    domain: ExecutionDomain
    published_by: str
    published_at_ns: int
    sha256: str


def check_key(key: FeatureKey) -> None:
    """Raises InvalidRequest (E_FIELD, E_INTERVAL)."""
    if not _FACTOR.fullmatch(key.factor):
        want = "1 to 64 of a-z 0-9 _ . -, a letter or digit first"
        raise refused("E_FIELD", "key.factor", repr(key.factor[:80]), want)
    format_interval(key.interval_s)
    if len(key.params.encode()) > PARAMS_BYTES_MAX:
        raise refused("E_FIELD", "key.params", f"{len(key.params)} characters", f"at most {PARAMS_BYTES_MAX} bytes")


def check_rows(rows: FeatureRows, until_ns: int) -> None:
    """Raises InvalidRequest (E_FEATURE_ROWS): rows are in order, finite, and known by the end of their data."""
    times, names = rows.time_ns, list(rows.columns)
    if not 1 <= times.size <= ROWS_MAX:
        raise _bad_rows("rows", times.size, f"1 to {ROWS_MAX}")
    if not 1 <= len(names) <= COLUMNS_MAX:
        raise _bad_rows("columns", len(names), f"1 to {COLUMNS_MAX} beside time_ns")
    odd = next((name for name in names if not _COLUMN.fullmatch(name)), None)
    if odd is not None:
        raise _bad_rows("columns", repr(odd[:80]), "names of 1 to 64 letters, digits or _, no digit first")
    back = np.flatnonzero(np.diff(times) <= 0)
    if back.size:
        row = int(back[0]) + 1
        raise _bad_rows(f"time_ns[{row}]", int(times[row]), f"above {int(times[row - 1])}, the row before")
    for place in (0, times.size - 1):
        if not 0 < int(times[place]) <= until_ns:
            want = f"instants above 0, up to {until_ns}, the close of the newest bar of its data"
            raise _bad_rows(f"time_ns[{place}]", int(times[place]), want)
    for name, values in rows.columns.items():
        bad = np.flatnonzero(~np.isfinite(values))
        if bad.size:
            raise _bad_rows(
                f"{name}[{int(bad[0])}]", float(values[bad[0]]), "finite numbers; leave out what has no value"
            )


def require_writer(domain: ExecutionDomain) -> None:
    """Raises NotReady (E_FEATURE_READ_ONLY): what trades live never makes what later runs read."""
    if domain not in WRITERS:
        allowed = " and ".join(sorted(one.value for one in WRITERS))
        raise NotReady("E_FEATURE_READ_ONLY", f"{domain.value} only reads features; {allowed} publish them")


def sees_until(domain: ExecutionDomain, as_of_ns: int | None) -> int | None:
    """The newest as_of of features that a run may see; None: all there are.

    Raises InvalidRequest (E_AS_OF_REQUIRED) for a BACKTEST or DRYRUN that nothing fixes in time.
    """
    if domain in WRITERS and as_of_ns is None:
        text = f"as_of is absent: {domain.value} reads features as they stood at a fixed as_of"
        raise InvalidRequest("E_AS_OF_REQUIRED", text)
    return as_of_ns


def feature_digest(key: FeatureKey, rows: FeatureRows) -> str:
    """The fingerprint of a feature."""
    hasher = hashlib.sha256(f"qmtl-feature-1\n{key.text}\n{','.join(rows.columns)}\n".encode())
    texts: Sequence[Sequence[str]] = (
        [str(at) for at in rows.time_ns.tolist()],
        *(decimals(column) for column in rows.columns.values()),
    )
    hasher.update("".join(",".join(row) + "\n" for row in zip(*texts, strict=True)).encode())
    return f"sha256:{hasher.hexdigest()}"


def _bad_rows(field: str, value: object, want: str) -> InvalidRequest:
    return refused("E_FEATURE_ROWS", field, str(value), want)
