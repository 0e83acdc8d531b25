"""Fences as rows."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from brokerage import schema as t
from brokerage.domain.risk.fence import Fence, FenceState
from brokerage.schema import OF, AnyRow
from qmtl.core.errors import DataLoss
from qmtl.core.limits import UNLIMITED, limits_of, limits_text
from qmtl.core.modes import EffectiveMode

LIMITED = "_LIMITED"


def fence_of(row: AnyRow) -> Fence:
    """A fence has limits where its state says so: an older peer that moves one leaves the limits of before beside it.

    Raises DataLoss (E_FENCE_DAMAGED) where they are missing.
    """
    state, mode = row.state.removesuffix(LIMITED), EffectiveMode(row.effective_mode)
    limits = limits_of(row.limits) if row.state != state else UNLIMITED
    if row.state != state and limits == UNLIMITED:
        raise DataLoss("E_FENCE_DAMAGED", f"limits of world {row.world_id} are {row.limits}, want those of {row.state}")
    return Fence(row.world_id, row.epoch, FenceState(state), mode, limits)


def fence_values(fence: Fence) -> dict[str, str | int]:
    """What of a fence's row moves with it."""
    return {
        "epoch": fence.epoch,
        "state": fence.state.value + ("" if fence.limits == UNLIMITED else LIMITED),
        "effective_mode": fence.effective_mode.value,
        "limits": limits_text(fence.limits),
    }


_FENCE = sa.select(t.world_fences).where(t.world_fences.c.world_id == OF)
_LOCKED_FENCE = _FENCE.with_for_update(read=True)
FENCES_SIGNAL = "fences"


def load_fence(conn: Connection, world_id: str, *, lock: bool = False) -> tuple[Fence, int] | None:
    """The stored fence and when it was set. Locked, it cannot move until this transaction's intents are committed."""
    row = conn.execute(_LOCKED_FENCE if lock else _FENCE, {"of": world_id}).one_or_none()
    if row is None or not row.epoch:
        return None
    return fence_of(row), row.updated_ns


def hold_fence(conn: Connection, world_id: str) -> None:
    """Make sure a world has a row (epoch 0: unset) and lock it against everyone until this transaction ends."""
    values = {"world_id": world_id, "state": FenceState.FROZEN.value, "mode": EffectiveMode.VALIDATE.value}
    conn.execute(_UNSET_FENCE, values)
    conn.execute(sa.select(t.world_fences).where(t.world_fences.c.world_id == world_id).with_for_update())


_UNSET_FENCE = sa.text(
    "INSERT INTO world_fences (world_id, epoch, state, effective_mode, updated_ns) "
    "VALUES (:world_id, 0, :state, :mode, 0) ON CONFLICT (world_id) DO NOTHING"
)


def save_fence(conn: Connection, fence: Fence, now_ns: int) -> None:
    values = {**fence_values(fence), "updated_ns": now_ns}
    conn.execute(sa.update(t.world_fences).where(t.world_fences.c.world_id == fence.world_id).values(values))
