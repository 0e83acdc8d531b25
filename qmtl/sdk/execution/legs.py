"""Parts of a change of position: what closes, what is permitted, and what waits for others."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from qmtl.sdk.execution.port import Permission


@dataclass(frozen=True, slots=True)
class Waiting:
    """A leg that waits for the reductions of its decision, as symbol and client order id, since `bars` bars."""

    target: float
    bars: int
    reductions: tuple[tuple[str, str], ...]


def closing_part(held: Decimal, quantity: Decimal) -> Decimal:
    """The signed part of a change that takes off a position."""
    if held * quantity >= 0:
        return Decimal(0)
    return quantity if abs(quantity) <= abs(held) else -held


def permitted_part(held: Decimal, quantity: Decimal, permission: Permission) -> Decimal:
    """A change as far as it is permitted: whole, only what closes a position that it would turn round, or nothing."""
    if not quantity or permission.allows(held, quantity):
        return quantity
    closing = closing_part(held, quantity)
    return closing if closing and closing != quantity and permission.allows(held, closing) else Decimal(0)
