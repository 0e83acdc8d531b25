"""Blocks: why a strategy may not newly trade live. Each subject adds its own to one list, told together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from qmtl.core.errors import NotReady, Violation


@dataclass(frozen=True, slots=True)
class Block:
    """A stable reason, the strategy, and the sentence with its number and the number wanted."""

    reason: str
    strategy_id: str
    sentence: str


@dataclass(frozen=True, slots=True)
class EnteringLive:
    """A strategy that an apply newly takes live, with the larger weight of its sides, 0 to 1."""

    strategy_id: str
    weight: Decimal


def refuse_blocked(blocks: Sequence[Block]) -> None:
    """Raises NotReady (E_PROMOTION_BLOCKED) that tells every block; none: nothing."""
    if not blocks:
        return
    told = "; ".join(f"{block.reason}: {block.strategy_id} {block.sentence}" for block in blocks)
    raise NotReady(
        "E_PROMOTION_BLOCKED",
        f"{len(blocks)} {'block' if len(blocks) == 1 else 'blocks'}: {told}",
        hint="PlanPromotion tells the same, and what would be applied",
        metadata={"blocks": ",".join(dict.fromkeys(block.reason for block in blocks))},
        violations=[Violation(block.strategy_id, block.reason, block.sentence) for block in blocks],
    )
