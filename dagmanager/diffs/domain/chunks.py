"""Cutting a long answer into messages that stay below the wire's limits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

ASSIGNMENTS_MAX = 100
BYTES_MAX = 1024 * 1024
SUMMARY_BYTES = 1024  # room for the summary, index and field tags beside the assignments


def chunk_bounds(
    sizes: Sequence[int], items_max: int = ASSIGNMENTS_MAX, bytes_max: int = BYTES_MAX - SUMMARY_BYTES
) -> Iterator[tuple[int, int]]:
    """Half-open index ranges that cover all items in order, each within both limits.

    An item that alone is larger than `bytes_max` stands alone. No items give one empty chunk, because
    the last chunk carries the summary.
    """
    start, held = 0, 0
    for index, size in enumerate(sizes):
        if index > start and (index - start == items_max or held + size > bytes_max):
            yield start, index
            start, held = index, 0
        held += size
    yield start, len(sizes)
