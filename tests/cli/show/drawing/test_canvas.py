"""The drawing of a graph: every edge can be followed in the text, and no other line leads anywhere."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from qmtl.cli.show.drawing.canvas import DOWN, LEFT, RIGHT, SHAPES, UP, Item, draw

ARMS = {letter: arms for arms, letter in SHAPES.items()}
STEPS = {UP: (-1, 0), DOWN: (1, 0), LEFT: (0, -1), RIGHT: (0, 1)}
BACK = {UP: DOWN, DOWN: UP, LEFT: RIGHT, RIGHT: LEFT}
Place = tuple[int, int]


def edges_in(text: str) -> set[tuple[str, str]]:
    """Read a drawing as a person does: from each box's lower joint along the lines to the arrow heads."""
    lines = text.split("\n")
    cells = {(y, x): letter for y, line in enumerate(lines) for x, letter in enumerate(line) if letter != " "}
    owner: dict[Place, str] = {}
    joints: dict[Place, str] = {}
    for (y, x), letter in cells.items():
        if (
            letter == "┌"
            and cells.get((y + 1, x)) == "│"
            and cells.get((y + 3, x)) == "└"
            and lines[y + 1][x + 1] == " "
        ):
            right = next(column for column in range(x + 1, len(lines[y])) if lines[y][column] == "┐")
            name = lines[y + 1][x + 2 : right - 1].strip()
            for row in range(y, y + 4):
                owner.update({(row, column): name for column in range(x, right + 1)})
            joints.update({(y + 3, column): name for column in range(x, right + 1) if lines[y + 3][column] == "┬"})
    found: set[tuple[str, str]] = set()
    for start, name in joints.items():
        queue, seen = [(start, DOWN)], set()
        while queue:
            (y, x), arm = queue.pop()
            place = (y + STEPS[arm][0], x + STEPS[arm][1])
            if (place, arm) in seen:
                continue
            seen.add((place, arm))
            letter = cells[place]
            if place in owner:
                assert letter == "▼", f"a line of {name} runs into {owner[place]}"
                found.add((name, owner[place]))
            elif not ARMS[letter] & BACK[arm]:
                assert letter == "│", f"a line of {name} ends in the open at {place}"
                queue.append((place, arm))  # hopped over
            else:
                queue.extend((place, other) for other in STEPS if ARMS[letter] & other and other != BACK[arm])
    return found


@st.composite
def graphs(draw_: st.DrawFn) -> list[Item]:
    count = draw_(st.integers(1, 30))
    items: list[Item] = []
    for index in range(count):
        inputs = draw_(st.lists(st.integers(0, max(0, index - 1)), max_size=min(index, 8), unique=True))
        items.append(
            Item(
                f"k{index}", f"n{index}", draw_(st.sampled_from(["", "x", "wide " * 5])), tuple(f"k{i}" for i in inputs)
            )
        )
    return draw_(st.permutations(items))


@given(graphs(), st.integers(20, 160))
def test_every_edge_can_be_followed_and_no_other(items: list[Item], width: int) -> None:
    wanted = {(one.replace("k", "n"), item.title) for item in items for one in item.inputs}
    assert edges_in(draw(items, width)) == wanted


def test_a_chain_and_a_side_way() -> None:
    items = [
        Item("p", "price", "StreamInput 15m", ()),
        Item("f", "fast", "ema 15m", ("p",)),
        Item("s", "slow", "ema 15m", ("p",)),
        Item("c", "cross", "signal", ("f", "s")),
    ]
    assert draw(items) == (
        "   ┌─────────────────┐\n"
        "   │ price           │\n"
        "   │ StreamInput 15m │\n"
        "   └────────┬────────┘\n"
        "      ┌─────┴─────┐\n"
        "┌─────▼───┐  ┌────▼────┐\n"
        "│ fast    │  │ slow    │\n"
        "│ ema 15m │  │ ema 15m │\n"
        "└────┬────┘  └────┬────┘\n"
        "     └────┐   ┌───┘\n"
        "       ┌──▼───▼─┐\n"
        "       │ cross  │\n"
        "       │ signal │\n"
        "       └────────┘"
    )


def test_ascii_uses_ascii_only() -> None:
    items = [Item("a", "a" * 40, "x", ()), Item("b", "b", "y", ("a",)), Item("c", "c", "z", ("a", "b"))]
    text = draw(items, ascii_only=True)
    assert text.isascii()
    assert "v" in text


def test_a_fan_of_forty_stays_within_the_width_asked_for() -> None:
    items = [Item("p", "price", "in", ()), *(Item(f"i{n}", f"indicator {n}", "ema", ("p",)) for n in range(40))]
    text = draw(items, 100)
    assert max(len(line) for line in text.split("\n")) <= 110
    assert len(edges_in(text)) == 40


def test_inputs_outside_the_drawing_are_left_out() -> None:
    assert edges_in(draw([Item("a", "a", "", ("gone",)), Item("b", "b", "", ("a", "gone"))])) == {("a", "b")}


def test_nothing_to_draw_is_nothing() -> None:
    assert draw([]) == ""
