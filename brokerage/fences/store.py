"""Fences as rows."""

from __future__ import annotations

from functools import lru_cache

import sqlalchemy as sa
from sqlalchemy import Connection

from brokerage import schema as t
from brokerage.domain.orders.order import EXTERNAL, NETTING, OPERATOR, OrderName, Owner, Side
from brokerage.domain.orders.states import OrderState
from brokerage.domain.risk.fence import Fence, FenceState, Standings, of_no_world, unset
from brokerage.schema import OF, AnyRow
from qmtl.core.limits import limits_of, limits_text
from qmtl.core.modes import EffectiveMode
from qmtl.core.standings import standings_of, standings_text
from qmtl.sql.statements.prepared import Later, Prepared

FENCES_SIGNAL = "fences"
_SIDES = {"LONG": Side.BUY, "SHORT": Side.SELL}
_SIDE_NAMES = {side: name for name, side in _SIDES.items()}

_OF_WORLD = sa.select(t.world_fences).where(t.world_fences.c.world_id == OF)
_FENCE, _LOCKED_FENCE = Prepared(_OF_WORLD), Prepared(_OF_WORLD.with_for_update(read=True))
_UNSET_FENCE = sa.text(
    "INSERT INTO world_fences (world_id, epoch, state, effective_mode, updated_ns, limits, standings) "
    "VALUES (:world_id, 0, :state, :mode, 0, '{}', '[]') ON CONFLICT (world_id) DO NOTHING"
)


def load_fence(conn: Connection, world_id: str, *, lock: bool = False) -> tuple[Fence, int] | None:
    """The stored fence and when it was set. Locked, it cannot move until this transaction's intents are committed."""
    return ask_fence(conn, world_id, lock=lock)()


def ask_fence(conn: Connection, world_id: str, *, lock: bool = False) -> Later[tuple[Fence, int] | None]:
    """As `load_fence`, heard later."""
    if world_id in (OPERATOR, EXTERNAL, NETTING):
        return lambda: (of_no_world(world_id), 0)
    rows = (_LOCKED_FENCE if lock else _FENCE).ask(conn, {"of": world_id}).rows

    def stored() -> tuple[Fence, int] | None:
        row = rows().one_or_none()
        return None if row is None or not row.epoch else (_fence_of(row), row.updated_ns)

    return stored


def locked_fence(conn: Connection, world_id: str) -> Fence:
    """The fence, which cannot move until this transaction's intents are committed."""
    return ask_locked_fence(conn, world_id)()


def ask_locked_fence(conn: Connection, world_id: str) -> Later[Fence]:
    """As `locked_fence`, heard later."""
    asked = ask_fence(conn, world_id, lock=True)

    def locked() -> Fence:
        stored = asked()
        return stored[0] if stored else unset(world_id)

    return locked


def hold_fence(conn: Connection, world_id: str) -> None:
    """Make sure a world has a row (epoch 0: unset) and lock it against everyone until this transaction ends."""
    values = {"world_id": world_id, "state": FenceState.FROZEN.value, "mode": EffectiveMode.VALIDATE.value}
    conn.execute(_UNSET_FENCE, values)
    conn.execute(sa.select(t.world_fences).where(t.world_fences.c.world_id == world_id).with_for_update())


def save_fence(conn: Connection, fence: Fence, now_ns: int) -> None:
    """Store what of a fence's row moves with it."""
    values = {
        "epoch": fence.epoch,
        "state": fence.state.value,
        "effective_mode": fence.effective_mode.value,
        "limits": limits_text(fence.limits),
        "standings": standings_text((who, _SIDE_NAMES[side]) for who, side in fence.standings),
        "updated_ns": now_ns,
    }
    conn.execute(sa.update(t.world_fences).where(t.world_fences.c.world_id == fence.world_id).values(values))


def held_orders(conn: Connection, world_id: str) -> list[OrderName]:
    """Open orders of a world that a freeze holds: watched here, or waiting for another of their list."""
    heads = t.orders.c
    held = heads.state.in_((OrderState.EMULATED.value, OrderState.INITIALIZED.value))
    query = sa.select(t.orders).where(heads.open, heads.world_id == world_id, held)
    return [
        OrderName(Owner(row.account, row.world_id, row.strategy_id), row.client_order_id)
        for row in conn.execute(query.order_by(heads.account, heads.created_sequence))
    ]


def _fence_of(row: AnyRow) -> Fence:
    mode = EffectiveMode(row.effective_mode)
    return Fence(row.world_id, row.epoch, FenceState(row.state), mode, limits_of(row.limits), _standings(row.standings))


@lru_cache(maxsize=1024)  # every order reads its world's
def _standings(text: str) -> Standings:
    return frozenset((who, _SIDES[name]) for who, name in standings_of(text))
