"""Writes the tree of rooms and subjects into docs/architecture.md, from the docstrings of packages."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "architecture.md"
LIBRARIES = ("core", "config", "calendars", "stats", "sql", "wire", "rpc", "sdk", "cli")
SERVICES = ("controlbus", "dagmanager", "worldservice", "gateway", "brokerage", "seamless")
BEGIN, END = "<!-- tree: python -m tools.tree -->\n```\n", "```\n<!-- end of tree -->\n"


def tree() -> str:
    """One line a folder: its name, and the first line of its docstring."""
    rooms = [*(ROOT / "qmtl" / name for name in LIBRARIES), *(ROOT / name for name in SERVICES)]
    rows = [row for room in rooms for row in _rows(room, 0)]
    width = max(len(name) for name, _ in rows) + 2
    return "".join(f"{name:{width}}{said}".rstrip() + "\n" for name, said in rows)


def _rows(folder: Path, depth: int) -> Iterator[tuple[str, str]]:
    package = folder / "__init__.py"
    if depth and not package.exists():
        return
    said = (ast.get_docstring(ast.parse(package.read_text())) or "") if package.exists() else ""
    name = folder.name if depth else str(folder.relative_to(ROOT))
    yield "  " * depth + name + "/", said.partition("\n")[0]
    for inner in sorted(folder.iterdir()):
        if inner.is_dir() and inner.name != "migrations":
            yield from _rows(inner, depth + 1)


if __name__ == "__main__":
    page = PAGE.read_text()
    before, _, rest = page.partition(BEGIN)
    PAGE.write_text(before + BEGIN + tree() + END + rest.partition(END)[2])
