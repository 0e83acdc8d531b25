"""Cutting answers into chunks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dagmanager.diffs.domain.chunks import chunk_bounds


@given(st.lists(st.integers(1, 50), max_size=60), st.integers(1, 9), st.integers(50, 120))
def test_chunks_cover_all_in_order_within_both_limits(sizes: list[int], items_max: int, bytes_max: int) -> None:
    bounds = list(chunk_bounds(sizes, items_max, bytes_max))
    assert [index for start, stop in bounds for index in range(start, stop)] == list(range(len(sizes)))
    for start, stop in bounds:
        assert stop - start <= items_max
        assert sum(sizes[start:stop]) <= bytes_max


@given(st.lists(st.integers(1, 50), min_size=2, max_size=60))
def test_no_chunk_could_have_taken_the_next_item(sizes: list[int]) -> None:
    bounds = list(chunk_bounds(sizes, 5, 100))
    for start, stop in bounds[:-1]:
        assert stop - start == 5 or sum(sizes[start : stop + 1]) > 100


def test_nothing_is_one_empty_chunk_and_a_giant_stands_alone() -> None:
    assert list(chunk_bounds([])) == [(0, 0)]
    assert list(chunk_bounds([1, 500, 1], 10, 100)) == [(0, 1), (1, 2), (2, 3)]


def test_a_chunk_holds_a_hundred_items_and_a_mebibyte_less_room_for_the_summary() -> None:
    assert list(chunk_bounds([1] * 250)) == [(0, 100), (100, 200), (200, 250)]
    room = 1023 * 1024
    assert list(chunk_bounds([room - 1, 1, 1])) == [(0, 2), (2, 3)]
