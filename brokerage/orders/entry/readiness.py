"""Whether what an order was decided on has arrived here: its bar and its fence.

Nearly always it has, so an order is taken at once, and told where it turns out that it came too early.
"""

from __future__ import annotations

from sqlalchemy import Connection

from brokerage.accounts import store as accounts_store
from brokerage.domain.accounts.account import Account
from brokerage.domain.orders.order import Order
from brokerage.domain.risk.fence import Fence
from brokerage.fences import store as fences_store


class OutOfStep(Exception):
    """An order to take again later, of which nothing was recorded: its bar or its fence has not come, or its fence
    bounds other accounts than are locked.
    """


def require_step(account: Account, fence: Fence, order: Order, epoch: int) -> None:
    """Raises OutOfStep where an order's bar has not come to its account, or the fence it was gated under."""
    if not _has_seen(account, order) or not fence.epoch or fence.epoch < epoch:
        raise OutOfStep


def caught_up(conn: Connection, order: Order) -> bool:
    """Whether a replay's venue has seen the bar an order was decided on. Always, where there is nothing to wait for."""
    return _has_seen(accounts_store.find_account(conn, order.owner.account), order)


def _has_seen(account: Account | None, order: Order) -> bool:
    feed = account.feed(order.symbol) if account is not None else None
    if feed is None or not feed.session_id or order.decided_ns is None:
        return True
    return feed.position_ns >= order.decided_ns


def known_fence(conn: Connection, world_id: str, epoch: int) -> Fence | None:
    """The fence of a world, unless the one an order was gated under has yet to arrive."""
    return _reached(fences_store.load_fence(conn, world_id), epoch)


def _reached(stored: tuple[Fence, int] | None, epoch: int) -> Fence | None:
    return stored[0] if stored is not None and stored[0].epoch >= epoch else None
