"""Merging of sorted columns of instants."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from qmtl.core.arrays.types import Times


def merged_times(columns: Iterable[Times]) -> Times:
    """Every instant of some sorted columns in order, each once.

    The sort merges runs that are sorted; `np.unique` hashes, which takes some hundred times as long on instants.
    """
    times = np.sort(np.concatenate([*columns, np.zeros(0, dtype=np.int64)]), kind="stable")
    once: Times = times[np.append(True, times[1:] != times[:-1])[: len(times)]]
    return once
