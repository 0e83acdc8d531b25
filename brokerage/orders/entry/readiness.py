"""Whether what an order was decided on has arrived here: its bar and its fence."""

from __future__ import annotations

from sqlalchemy import Connection

from brokerage.accounts import store as accounts_store
from brokerage.domain.orders.order import Order
from brokerage.domain.risk.fence import Fence
from brokerage.fences import store as fences_store


def in_step(conn: Connection, order: Order, epoch: int) -> Fence | None:
    """The fence as it stands, if it has come as far as the order's gate and the order's bar is here too."""
    return known_fence(conn, order.owner.world_id, epoch) if caught_up(conn, order) else None


def caught_up(conn: Connection, order: Order) -> bool:
    """Whether a replay's venue has seen the bar an order was decided on. Always, where there is nothing to wait for."""
    account = accounts_store.find_account(conn, order.owner.account)
    feed = account.feed(order.symbol) if account is not None else None
    if feed is None or not feed.session_id or order.decided_ns is None:
        return True
    return feed.position_ns >= order.decided_ns


def known_fence(conn: Connection, world_id: str, epoch: int) -> Fence | None:
    """The fence of a world, unless the one an order was gated under has yet to arrive."""
    stored = fences_store.load_fence(conn, world_id)
    return stored[0] if stored is not None and stored[0].epoch >= epoch else None
