"""Setting and reading world fences: the commit of `set_fence` is the safety acknowledgement of a freeze."""

from __future__ import annotations

from sqlalchemy import Connection

from brokerage import audit
from brokerage.audit import Actor
from brokerage.domain.risk.fence import Fence, WireIntent, replaced, unset
from brokerage.fences import intents, store
from qmtl.core.limits import UNLIMITED, limits_text
from qmtl.sql.database import signal

SAID_MAX = 1_000


def set_fence(conn: Connection, wanted: Fence, actor: Actor, now_ns: int) -> tuple[Fence, int, list[WireIntent]]:
    """Move a world's fence; what stands, since when, and what was sent before it and is not answered yet.

    A retry of what stands changes nothing. Raises NotReady (E_STALE_EPOCH).
    """
    store.hold_fence(conn, wanted.world_id)
    found = store.load_fence(conn, wanted.world_id)
    since_ns = found[1] if found else 0
    if replaced(found[0] if found else None, wanted):
        since_ns = now_ns
        store.save_fence(conn, wanted, now_ns)
        signal(conn, store.FENCES_SIGNAL)
        audit.record(conn, now_ns, (actor.name, actor.correlation_id), "set_fence", wanted.world_id, _said(wanted))
    return wanted, since_ns, intents.on_the_wire(conn, wanted.world_id)


def current(conn: Connection, world_id: str) -> tuple[Fence, int]:
    """The fence of a world and when it was set; FROZEN at epoch 0 when none ever was."""
    return store.load_fence(conn, world_id) or (unset(world_id), 0)


def _said(fence: Fence) -> str:
    limits = "" if fence.limits == UNLIMITED else f", limits {limits_text(fence.limits)}"
    adds = ", ".join(f"{who} {side.value}" for who, side in sorted(fence.standings, key=str)) or "nobody"
    return f"epoch {fence.epoch} {fence.state.value} {fence.effective_mode.value}{limits}, may add: {adds[:SAID_MAX]}"
