"""The table of all variants' daily returns: read from Arrow, checked, and summed up."""

from __future__ import annotations

import math

import numpy as np
from blake3 import blake3

from qmtl.core.errors import InvalidRequest, refused
from qmtl.stats.moments import sample_deviation
from qmtl.stats.overfitting import overfitting_probability
from qmtl.stats.ratios import sharpe
from worldservice.campaigns.domain.selection import CSCV_BLOCKS, DAYS_MIN, VARIANTS_MIN, TrialsSummary

VARIANTS_MAX, DAYS_MAX = 500, 5_000


def trials_summary(body: bytes, said: str) -> TrialsSummary:
    """What a table comes to. Raises InvalidRequest (E_TRIALS_TABLE)."""
    found = f"blake3:{blake3(body).hexdigest()}"
    if said != found:
        raise refused("E_TRIALS_TABLE", "trials_hash", said, found)
    returns = _returns(body)
    days, variants = returns.shape
    ratios = np.array([ratio for ratio in (sharpe(column, 1.0) for column in returns.T) if math.isfinite(ratio)])
    known = variants >= VARIANTS_MIN and days >= DAYS_MIN
    pbo = overfitting_probability(returns, CSCV_BLOCKS) if known else None
    return TrialsSummary(found, variants, days, sample_deviation(ratios) if len(ratios) > 1 else None, pbo)


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
