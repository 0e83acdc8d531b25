"""Where the boxes of a drawing go: rows of limited width, an order with few crossings, columns near their neighbours.

Pure. What one node sends to many is one net: it passes the rows between as a single rail, so that a fan-out stays
one line. Refuses nothing; a graph with a cycle is the caller's bug.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

GAP = 2
RAIL_WIDTH = 3
SWEEPS = 6
RAIL_WEIGHT = 16.0  # long lines stay straight, boxes make room


@dataclass(frozen=True, slots=True)
class Box:
    """A node as it is drawn: how wide, and which nodes feed it, in order."""

    key: str
    width: int
    inputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in a row: a box, or the rail of a net that passes. `net` is the node whose output it is."""

    net: str
    is_rail: bool
    width: int


Row = list[Slot]


def rows_of(boxes: Sequence[Box], width: int) -> list[list[Box]]:
    """Boxes in rows, each below all its inputs, at most `width` columns of boxes in a row (one box always fits)."""
    placed: dict[str, int] = {}
    used: dict[int, int] = {}
    for box in _by_depth(boxes):
        row = max((placed[one] + 1 for one in box.inputs), default=0)
        while used.get(row, 0) and used[row] + GAP + box.width > width:
            row += 1
        placed[box.key] = row
        used[row] = used.get(row, 0) + GAP + box.width
    _lower_sources(boxes, placed, used, width)
    rows = sorted(set(placed.values()))
    return [[box for box in boxes if placed[box.key] == row] for row in rows]


def with_rails(rows: Sequence[Sequence[Box]]) -> list[Row]:
    """The rows with a rail wherever a net passes one on its way down."""
    last: dict[str, int] = {}
    first: dict[str, int] = {}
    for index, row in enumerate(rows):
        for box in row:
            first[box.key] = index
            last.update(dict.fromkeys(box.inputs, index))
    whole: list[Row] = []
    for index, row in enumerate(rows):
        rails = [Slot(key, True, RAIL_WIDTH) for key in first if first[key] < index < last.get(key, 0)]
        whole.append([*(Slot(box.key, False, box.width) for box in row), *rails])
    return whole


def ordered(rows: Sequence[Row], inputs: Mapping[str, Sequence[str]]) -> list[Row]:
    """Each row sorted by where its neighbours are, sweeping down and up a few times."""
    current = [list(row) for row in rows]
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        span = range(1, len(current)) if down else range(len(current) - 2, -1, -1)
        for index in span:
            other = current[index - 1 if down else index + 1]
            near = _neighbours(other, inputs, above=down)
            rank = {slot: place for place, slot in enumerate(other)}
            order: dict[Slot, float] = {}
            for place, slot in enumerate(current[index]):
                wanted = _mean([rank[one] for one in near(slot)])
                order[slot] = place if wanted is None else wanted
            current[index].sort(key=order.__getitem__)
    return current


def columns(rows: Sequence[Row], inputs: Mapping[str, Sequence[str]], width: int) -> list[list[int]]:
    """The left column of every slot: close to its neighbours, in order, never overlapping, from 0 on.

    The whole is as wide as asked for, or as its fullest row.
    """
    room = max(width, *(_offsets(row)[-1] + row[-1].width for row in rows))
    lefts = [_pushed(row, [room / 2 - slot.width / 2 for slot in row], room) for row in rows]
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        span = range(1, len(rows)) if down else range(len(rows) - 2, -1, -1)
        for index in span:
            beside = index - 1 if down else index + 1
            near = _neighbours(rows[beside], inputs, above=down)
            centre = {slot: left + slot.width / 2 for slot, left in zip(rows[beside], lefts[beside], strict=True)}
            wanted = []
            for slot, left in zip(rows[index], lefts[index], strict=True):
                middle = _mean([centre[one] for one in near(slot)])
                wanted.append(left if middle is None else middle - slot.width / 2)
            lefts[index] = _pushed(rows[index], wanted, room)
    least = min((min(row) for row in lefts if row), default=0.0)
    return [[round(left - least) for left in row] for row in lefts]


def _by_depth(boxes: Sequence[Box]) -> list[Box]:
    """Topological order: by longest way from a source, then as given."""
    by_key = {box.key: box for box in boxes}
    depth: dict[str, int] = {}
    for start in boxes:
        stack = [start.key]
        while stack:
            key = stack[-1]
            waiting = [one for one in by_key[key].inputs if one not in depth]
            if waiting:
                stack.extend(waiting)
                continue
            stack.pop()
            depth[key] = max((depth[one] + 1 for one in by_key[key].inputs), default=0)
    places = {box.key: place for place, box in enumerate(boxes)}
    return sorted(boxes, key=lambda box: (depth[box.key], places[box.key]))


def _lower_sources(boxes: Sequence[Box], placed: dict[str, int], used: dict[int, int], width: int) -> None:
    """Bring a source down to just above its first reader, where there is room: shorter lines."""
    for box in boxes:
        readers = [placed[other.key] for other in boxes if box.key in other.inputs]
        if box.inputs or not readers:
            continue
        for row in range(min(readers) - 1, placed[box.key], -1):
            if used[row] + GAP + box.width <= width:
                used[placed[box.key]] -= GAP + box.width
                used[row] += GAP + box.width
                placed[box.key] = row
                break


def _neighbours(beside: Row, inputs: Mapping[str, Sequence[str]], *, above: bool) -> Callable[[Slot], list[Slot]]:
    """What a slot is joined to in the row above or below it."""
    by_net: dict[str, list[Slot]] = {}
    for one in beside:
        for net in [one.net] if above or one.is_rail else inputs[one.net]:
            by_net.setdefault(net, []).append(one)

    def near(slot: Slot) -> list[Slot]:
        nets = inputs[slot.net] if above and not slot.is_rail else [slot.net]
        return [one for net in nets for one in by_net.get(net, [])]

    return near


def _pushed(row: Row, wanted: Sequence[float], room: float) -> list[float]:
    """Left columns with the least squared distance to those wanted in order, gaps kept (pool adjacent violators)."""
    offsets = _offsets(row)
    pools: list[list[float]] = []  # of neighbours that touch: weighted sum of wanted - offset, weight, members
    for slot, want, offset in zip(row, wanted, offsets, strict=True):
        weight = RAIL_WEIGHT if slot.is_rail else 1.0
        pools.append([weight * (want - offset), weight, 1])
        while len(pools) > 1 and pools[-2][0] / pools[-2][1] >= pools[-1][0] / pools[-1][1]:
            pools[-2:] = [[one + other for one, other in zip(*pools[-2:], strict=True)]]
    flat = [total / weight for total, weight, count in pools for _ in range(int(count))]
    most = max(0.0, room - offsets[-1] - row[-1].width)
    return [round(min(max(base, 0.0), most) + offset) for base, offset in zip(flat, offsets, strict=True)]


def _offsets(row: Row) -> list[float]:
    """Left columns of a row packed as closely as the gaps allow."""
    offsets = [0.0]
    for left, right in pairwise(row):
        offsets.append(offsets[-1] + left.width + (1 if left.is_rail or right.is_rail else GAP))
    return offsets


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None
