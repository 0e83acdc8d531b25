"""A graph of boxes and lines as text: sources above, what reads them below, one line per output.

Pure. Where two lines cross, the upright one hops over the other, which shows a gap; `┬ ┴ ├ ┤ ┼` are joints of one
line. Lines share no cell otherwise, so that every edge can be followed with a finger.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from qmtl.cli.show.drawing.placement import Box, Row, columns, ordered, rows_of, with_rails

UP, DOWN, LEFT, RIGHT = 1, 2, 4, 8
SHAPES = {
    UP | DOWN: "│", LEFT | RIGHT: "─", UP | RIGHT: "└", UP | LEFT: "┘", DOWN | RIGHT: "┌", DOWN | LEFT: "┐",
    UP | DOWN | RIGHT: "├", UP | DOWN | LEFT: "┤", DOWN | LEFT | RIGHT: "┬", UP | LEFT | RIGHT: "┴",
    UP | DOWN | LEFT | RIGHT: "┼",
}  # fmt: skip
ASCII = str.maketrans("│─└┘┌┐├┤┬┴┼▼◆⇄…", "|-+++++++++v*&~")
BOX_HEIGHT = 4
LABEL_MAX = 28


@dataclass(frozen=True, slots=True)
class Item:
    """One node of a drawing: two lines of text and the nodes that feed it."""

    key: str
    title: str
    detail: str
    inputs: tuple[str, ...]


def draw(items: Sequence[Item], width: int = 100, *, ascii_only: bool = False) -> str:
    """The drawing, aiming at `width` columns. Inputs that are not among the items are left out."""
    if not items:
        return ""
    known = {item.key for item in items}
    inputs = {item.key: tuple(dict.fromkeys(one for one in item.inputs if one in known)) for item in items}
    boxes = [Box(item.key, _box_width(item, len(inputs[item.key])), inputs[item.key]) for item in items]
    rows = ordered(with_rails(rows_of(boxes, width)), inputs)
    canvas = _Canvas()
    places = {item.key: item for item in items}
    last = {
        net: index for index, row in enumerate(rows) for slot in row if not slot.is_rail for net in inputs[slot.net]
    }
    exits: dict[str, int] = {}
    for index, (row, lefts) in enumerate(zip(rows, columns(rows, inputs, width), strict=True)):
        here = _Level(row, lefts, inputs, exits)
        canvas.channel(exits, here.ends)
        exits = {net: column for net, column in here.leaves.items() if last.get(net, 0) > index}
        for slot, left in zip(row, lefts, strict=True):
            if slot.is_rail:
                canvas.rail(slot.net, here.leaves[slot.net])
            else:
                canvas.box(places[slot.net], left, slot.width, here.ports[slot.net], exits.get(slot.net))
        canvas.line += BOX_HEIGHT
    text = canvas.text()
    return text.translate(ASCII) if ascii_only else text


class _Level:
    """One row's ports: at which column each net ends in it or leaves it, so that no two nets share a column."""

    def __init__(
        self, row: Row, lefts: Sequence[int], inputs: Mapping[str, Sequence[str]], exits: Mapping[str, int]
    ) -> None:
        self._exits = exits
        self._taken = {column: net for net, column in exits.items()}
        self.ends: dict[str, list[int]] = {net: [] for net in exits}
        self.ports: dict[str, list[int]] = {}
        self.leaves: dict[str, int] = {}
        for slot, left in zip(row, lefts, strict=True):
            if slot.is_rail:
                self.leaves[slot.net] = self._end(slot.net, range(left, left + slot.width), left + 1)
            else:
                self.ports[slot.net] = self._into(inputs[slot.net], left, slot.width)
                self.leaves[slot.net] = left + slot.width // 2

    def _into(self, nets: Sequence[str], left: int, width: int) -> list[int]:
        """A column in the top edge of a box for each net that ends in it, from left to right as the nets come."""
        step = width / (len(nets) + 1)
        inside = range(left + 1, left + width - 1)
        sorted_nets = sorted(nets, key=lambda net: self._exits[net])
        return [self._end(net, inside, round(left + step * place)) for place, net in enumerate(sorted_nets, start=1)]

    def _end(self, net: str, where: range, wanted: int) -> int:
        """A column for the end of a net: straight below where it comes from, else a free one near the wanted."""
        straight = self._exits[net]
        free = [column for column in where if self._taken.get(column, net) == net]
        column = (
            straight if straight in free else min(free, key=lambda one: (self._crowded(one, net), abs(one - wanted)))
        )
        self._taken[column] = net
        self.ends[net].append(column)
        return column

    def _crowded(self, column: int, net: str) -> bool:
        return any(self._taken.get(beside, net) != net for beside in (column - 1, column + 1))


class _Canvas:
    """The cells of one drawing while it is made, from the top line down."""

    def __init__(self) -> None:
        self.line = 0
        self._letters: dict[tuple[int, int], str] = {}
        self._joints: dict[tuple[int, int], dict[str, int]] = {}

    def channel(self, exits: Mapping[str, int], ends: Mapping[str, Sequence[int]]) -> None:
        """The lines between two rows: each bent net gets a stretch of a track of its own."""
        spans = {net: (min(at, *ends[net]), max(at, *ends[net])) for net, at in exits.items()}
        tracks = _tracks({net: span for net, span in spans.items() if span[0] < span[1]})
        height = max(tracks.values(), default=0) + 1 if exits else 0
        for net, start in exits.items():
            if net not in tracks:
                self._upright(net, start, self.line, self.line + height)
                continue
            level = self.line + tracks[net]
            self._upright(net, start, self.line, level)
            self._join(level, start, net, UP)
            for column in ends[net]:
                self._join(level, column, net, DOWN)
                self._upright(net, column, level + 1, self.line + height)
            low, high = spans[net]
            for column in range(low, high + 1):
                self._join(level, column, net, (LEFT if column > low else 0) | (RIGHT if column < high else 0))
        self.line += height

    def rail(self, net: str, column: int) -> None:
        """A net that passes a row of boxes."""
        self._upright(net, column, self.line, self.line + BOX_HEIGHT)

    def box(self, item: Item, left: int, width: int, ports: Iterable[int], out: int | None) -> None:
        """A box with its two lines of text, an arrow head for each input and a joint for the output."""
        top, bottom = list("┌" + "─" * (width - 2) + "┐"), list("└" + "─" * (width - 2) + "┘")
        for port in ports:
            top[port - left] = "▼"
        if out is not None:
            bottom[out - left] = "┬"
        middle = [f"│ {_clip(text):<{width - 4}} │" for text in (item.title, item.detail)]
        for offset, text in enumerate(("".join(top), *middle, "".join(bottom))):
            for place, letter in enumerate(text):
                self._letters[self.line + offset, left + place] = letter

    def text(self) -> str:
        cells = {place: _shape(joints) for place, joints in self._joints.items()} | self._letters
        width = max((column for _, column in cells), default=-1) + 1
        lines = ("".join(cells.get((line, column), " ") for column in range(width)) for line in range(self.line))
        return "\n".join(line.rstrip() for line in lines)

    def _upright(self, net: str, column: int, start: int, stop: int) -> None:
        for line in range(start, stop):
            self._join(line, column, net, UP | DOWN)

    def _join(self, line: int, column: int, net: str, arms: int) -> None:
        nets = self._joints.setdefault((line, column), {})
        nets[net] = nets.get(net, 0) | arms


def _tracks(spans: Mapping[str, tuple[int, int]]) -> dict[str, int]:
    """A line for each stretch, so that no two on one line touch."""
    found: dict[str, int] = {}
    free_from: list[int] = []
    for net, (low, high) in sorted(spans.items(), key=lambda pair: (pair[1], pair[0])):
        level = next((place for place, column in enumerate(free_from) if column < low), len(free_from))
        if level == len(free_from):
            free_from.append(0)
        free_from[level] = high + 1
        found[net] = level
    return found


def _shape(joints: Mapping[str, int]) -> str:
    """One net: its joint. Two: the upright one hops over."""
    return SHAPES[next(iter(joints.values()))] if len(joints) == 1 else SHAPES[UP | DOWN]


def _box_width(item: Item, inputs: int) -> int:
    return max(len(_clip(item.title)), len(_clip(item.detail)), 2 * inputs - 1) + 4


def _clip(text: str) -> str:
    return text if len(text) <= LABEL_MAX else text[: LABEL_MAX - 1] + "…"
