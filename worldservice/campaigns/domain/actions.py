"""What a tick recommends for one strategy: at most one act, with the key that makes it one act wherever it is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from qmtl.core.identity.canonical import canonical_json, digest
from worldservice.campaigns.domain.blocks import BlockReason
from worldservice.campaigns.domain.promotions import Promotion, PromotionState
from worldservice.worlds.domain.binding import Stage
from worldservice.worlds.domain.block import Block

ACTIONS_MAX = 100
_EVALUATED_AWAY = frozenset(
    {
        BlockReason.MISSING_BACKTEST_RUN,
        BlockReason.MISSING_PAPER_RUN,
        BlockReason.BACKTEST_WINDOW_INCOMPLETE,
        BlockReason.PAPER_WINDOW_INCOMPLETE,
        BlockReason.INSUFFICIENT_TRADES,
    }
)
_BARS_PAPER = frozenset(
    {
        BlockReason.MISSING_BACKTEST_RUN,
        BlockReason.BACKTEST_WINDOW_INCOMPLETE,
        BlockReason.INSUFFICIENT_TRADES,
        BlockReason.METRIC_MISSING,
        BlockReason.DEFLATED_SHARPE_LOW,
        BlockReason.OVERFIT,
        BlockReason.PBO_UNKNOWN,
        BlockReason.VALIDATION_FAILED,
        BlockReason.CROSS_CONTEXT_CACHE_HIT,
        BlockReason.VERSION_CHANGED,
        BlockReason.COOLDOWN_ACTIVE,
        BlockReason.APPLY_RUNNING,
    }
)
"""What a backtest has to show, and who just fell from live waits; the other blocks are of paper and of live."""
_BEFORE_A_REQUEST = frozenset({BlockReason.APPROVAL_MISSING.value, BlockReason.APPROVAL_EXPIRED.value})


class ActionKind(Enum):
    """In the order in which a tick tells them."""

    EVALUATE = "EVALUATE"
    RAISE_TO_PAPER = "RAISE_TO_PAPER"
    REQUEST_PROMOTION = "REQUEST_PROMOTION"
    APPLY_PROMOTION = "APPLY_PROMOTION"
    ADVANCE_CANARY = "ADVANCE_CANARY"
    DEMOTE = "DEMOTE"


@dataclass(frozen=True, slots=True)
class Action:
    """One recommended act. `key` is the same for the same evidence, whoever asks and when.

    `automatic`: the policy lets a scheduler carry it out; else it takes a person.
    """

    kind: ActionKind
    world_id: str
    strategy_id: str
    stage: Stage
    run_id: str
    key: str
    message: str
    automatic: bool = False


@dataclass(frozen=True, slots=True)
class Renewal:
    """An approval of who trades live that ends soon, or whose renewal is open; `blocks` bar its renewal."""

    ends: datetime
    blocks: tuple[Block, ...] = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """What an act is recommended by. `data_end`: of the newest evidence of the stage.

    Of who trades live, `canary` is its step, None where no step is open to it; `demotion` a rule that asks a person.
    """

    world_id: str
    strategy_id: str
    version: str
    stage: Stage
    blocks: tuple[Block, ...]
    promotion: Promotion | None
    paused: bool
    auto_apply: bool
    data_end: datetime | None
    live: bool = False
    canary: int | None = None
    demotion: str = ""
    paper_auto: bool = False
    renewal: Renewal | None = None


def action_of(standing: Standing) -> Action | None:
    """The act that is due; a paused campaign has none but its demotion."""
    if standing.demotion:
        return _action(standing, ActionKind.DEMOTE, "", f"rule {standing.demotion}")
    if standing.paused:
        return None
    if standing.live:
        return _renew(standing) or _advance(standing)
    open_one = standing.promotion if standing.promotion is not None and standing.promotion.open else None
    reasons = [block.reason for block in standing.blocks]
    if open_one is not None:
        due = open_one.state is PromotionState.APPROVED or (
            standing.auto_apply and open_one.state is PromotionState.REQUESTED
        )
        left = [r for r in reasons if not (standing.auto_apply and r in _BEFORE_A_REQUEST)]
        if due and not left:
            return _action(
                standing, ActionKind.APPLY_PROMOTION, open_one.run_id, f"promotion {open_one.run_id} is free"
            )
        return None
    if all(reason in _BEFORE_A_REQUEST for reason in reasons) and standing.stage is Stage.PAPER:
        return _action(standing, ActionKind.REQUEST_PROMOTION, "", "nothing of its evidence is missing")
    if standing.stage is Stage.BACKTEST and standing.paper_auto and not _BARS_PAPER & set(reasons):
        return _action(standing, ActionKind.RAISE_TO_PAPER, "", "its backtest has shown what the policy asks of one")
    waits = [block.sentence for block in standing.blocks if block.reason in _EVALUATED_AWAY]
    return _action(standing, ActionKind.EVALUATE, "", "; ".join(waits)) if waits else None


def _renew(standing: Standing) -> Action | None:
    """Asked for once for each end of an approval: who said no to it is not asked again."""
    renewal, newest = standing.renewal, standing.promotion
    if renewal is None or renewal.blocks:
        return None
    ends = f"its approval ends at {renewal.ends:%Y-%m-%d %H:%M} UTC"
    if newest is not None and newest.open:
        if not (newest.renews and standing.auto_apply):
            return None
        return _action(standing, ActionKind.APPLY_PROMOTION, newest.run_id, f"{ends}; nothing bars its renewal", ends)
    run_id = f"camp-{standing.world_id}-{standing.strategy_id}-renew-{renewal.ends:%Y%m%d}"
    if newest is not None and newest.run_id == run_id:
        return None
    return _action(standing, ActionKind.REQUEST_PROMOTION, run_id, f"{ends}; nothing bars its renewal", ends)


def _advance(standing: Standing) -> Action | None:
    """Every step has an act of its own, also two of one day."""
    if standing.canary is None or standing.blocks:
        return None
    step = standing.canary
    made = _action(standing, ActionKind.ADVANCE_CANARY, "", f"canary step {step} has shown what it has to", step)
    return replace(made, run_id=f"{made.run_id}-{step}")


def in_order(actions: Sequence[Action]) -> tuple[Action, ...]:
    """By world, strategy and kind; at most 100."""
    kinds = list(ActionKind)
    ordered = sorted(actions, key=lambda one: (one.world_id, one.strategy_id, kinds.index(one.kind)))
    return tuple(ordered[:ACTIONS_MAX])


def _action(standing: Standing, kind: ActionKind, run_id: str, message: str, *of: int | str) -> Action:
    day = "none" if standing.data_end is None else f"{standing.data_end:%Y%m%d}"
    world_id, strategy_id, stage = standing.world_id, standing.strategy_id, standing.stage
    key = digest(canonical_json([kind.value, world_id, strategy_id, standing.version, stage.value, day, *of]))
    name = run_id or f"camp-{world_id}-{strategy_id}-{stage.value.lower()}-{day}"
    acts = kind in (ActionKind.REQUEST_PROMOTION, ActionKind.RAISE_TO_PAPER) or (
        standing.auto_apply and kind in (ActionKind.APPLY_PROMOTION, ActionKind.ADVANCE_CANARY)
    )
    return Action(kind, world_id, strategy_id, stage, name, key, message, acts)
