"""What a command found: JSON when `--json` asks for it, else a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from google.protobuf.message import Message

from qmtl.cli.options import Access
from qmtl.cli.show.messages import as_dict, show_json
from qmtl.cli.show.tables import show_table

M = TypeVar("M", bound=Message)
Rows = Callable[[Sequence[M]], Iterable[Sequence[str]]]


def shown_as_json(access: Access, found: Message) -> bool:
    """Print a message as JSON when `--json` asks for it; False when it is still to be shown to people."""
    if access.json:
        show_json(as_dict(found))
    return access.json


def show_listing(access: Access, found: Sequence[M], title: str, columns: Sequence[str], rows: Rows[M]) -> None:
    """Print messages as a JSON list, or as a table of what `rows` makes of them."""
    if access.json:
        show_json([as_dict(one) for one in found])
    else:
        show_table(title, columns, rows(found))
