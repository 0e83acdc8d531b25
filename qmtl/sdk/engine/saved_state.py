"""Saved node state, read from JSON: what does not fit the node is refused."""

from __future__ import annotations

from qmtl.core.errors import InvalidRequest
from qmtl.core.identity.canonical import Json

Row = list[float]


def state_list(state: Json) -> list[Json]:
    """A JSON list. Raises InvalidRequest (E_NODE_STATE)."""
    if not isinstance(state, list):
        raise bad_state("a node")
    return state


def state_number(state: Json) -> float | int:
    """A JSON number. Raises InvalidRequest (E_NODE_STATE)."""
    if isinstance(state, bool) or not isinstance(state, int | float):
        raise bad_state("a node")
    return state


def state_numbers(state: Json) -> Row:
    """A JSON list of numbers as a row. Raises InvalidRequest (E_NODE_STATE)."""
    return [float(state_number(item)) for item in state_list(state)]


def bad_state(name: str) -> InvalidRequest:
    """The error of a saved state that does not fit."""
    return InvalidRequest("E_NODE_STATE", f"saved state of {name} does not fit the node", hint="recompute from history")
