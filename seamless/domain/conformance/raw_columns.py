"""Columns as a source gave them, before any rule ran."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

NO_TIME = np.iinfo(np.int64).min  # what a door writes for an instant it could not read


@dataclass(frozen=True, slots=True, eq=False)
class RawColumns:
    """Columns as a source gave them; `time` is int64 nanoseconds, or `NO_TIME` where unreadable."""

    columns: Mapping[str, NDArray[np.generic]]
    utc_known: bool  # the source stated each offset, or that its clock is UTC
    observed_ns: int | None = None  # when the source was read, if it said so
    others: Mapping[str, str] = field(default_factory=dict)  # columns beside ours, each with numpy's kind of it
