"""Whether a strategy has a share of capital: asked of every account whose set of shares names its world."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from worldservice.allocation.domain.shares import AllocationSet, Owner
from worldservice.allocation.store.sets import budget_states, newest_set
from worldservice.campaigns.domain.blocks import BlockReason
from worldservice.policy.store import policy_of
from worldservice.worlds.domain.block import Block, EnteringLive
from worldservice.worlds.domain.world import World

SHARE_UNKNOWN = "its share of capital is not known: no account has a set of shares that names its world"


def sets_naming(conn: Connection, world_id: str) -> list[AllocationSet]:
    """The sets in force that name a world, by account."""
    found = (newest_set(conn, state.account) for state in budget_states(conn))
    return [one for one in found if one is not None and world_id in one.shares.worlds]


def share_blocks(
    conn: Connection, world: World, entering: Sequence[EnteringLive], now: datetime, *, switching: bool
) -> Sequence[Block]:
    """SHARE_MISSING under a policy with a section `campaign`, where sets name the world and none gives it capital."""
    policy = policy_of(conn, world)
    if policy is None or policy.campaign is None:
        return ()
    sets = sets_naming(conn, world.world_id)
    return [block for one in entering for block in missing_share(sets, world.world_id, one.strategy_id)]


def missing_share(sets: Sequence[AllocationSet], world_id: str, strategy_id: str) -> list[Block]:
    """SHARE_MISSING of one strategy, where sets name its world and none gives it capital."""
    told = ", ".join(f"set {one.revision} of account {one.account}" for one in sets)
    if not sets or any(each.shares.strategy(Owner(world_id, strategy_id)) > 0 for each in sets):
        return []
    return [Block(BlockReason.SHARE_MISSING.value, strategy_id, f"has no share of capital in {told}, want above 0")]
