"""Whether an act that brokerage starts itself may go now."""

from __future__ import annotations

from sqlalchemy import Connection

from brokerage.domain.accounts.account import TradingState
from brokerage.domain.orders.record import OrderRecord
from brokerage.domain.risk.context import increases
from brokerage.domain.risk.fence import Fence, FenceState, lets_go, unset
from brokerage.domain.trading.commands import Desk
from brokerage.fences import store as fences_store


def may_go(desk: Desk, record: OrderRecord, fence: Fence) -> bool:
    held = desk.ledger.position(record.order.symbol).quantity
    reducing = not increases(record.order.side, record.remaining, held)
    allowed = desk.trading is TradingState.ACTIVE or (desk.trading is TradingState.REDUCING and reducing)
    return allowed and lets_go(fence, reducing)


def narrow(desk: Desk, record: OrderRecord, fence: Fence) -> None:
    """Where only reducing acts may go, two that each reduce alone must not turn the position round together."""
    if fence.state is FenceState.DRAIN or desk.trading is TradingState.REDUCING:
        desk.narrow(record.id)


def locked_fence(conn: Connection, world_id: str) -> Fence:
    """The fence, which cannot move until this transaction's intents are committed."""
    stored = fences_store.load_fence(conn, world_id, lock=True)
    return stored[0] if stored else unset(world_id)
