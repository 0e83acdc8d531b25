"""Who may add to a position in a world, by strategy and side, as canonical JSON: equal sets are equal text."""

from __future__ import annotations

import json
from collections.abc import Iterable

from qmtl.core.identity.canonical import canonical_json


def standings_text(standings: Iterable[tuple[str, str]]) -> str:
    """Strategies and the names of their sides, in order, each once."""
    return canonical_json([list(standing) for standing in sorted(set(standings))]).decode()


def standings_of(text: str) -> list[tuple[str, str]]:
    """The inverse of standings_text."""
    given: list[tuple[str, str]] = [(strategy_id, side) for strategy_id, side in json.loads(text)]
    return given
