"""Merging of sorted columns of instants."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from qmtl.core.arrays.merging import merged_times

COLUMN = st.sets(st.integers(-(2**63), 2**63 - 1)).map(sorted)


@given(st.lists(COLUMN, max_size=4))
@settings(max_examples=30, deadline=None)
def test_every_instant_comes_once_and_in_order(columns: list[list[int]]) -> None:
    found = merged_times(np.array(column, dtype=np.int64) for column in columns)
    assert found.tolist() == sorted(set().union(*columns))
    assert found.dtype == np.int64
