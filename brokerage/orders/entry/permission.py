"""Whether an act that brokerage starts itself may go now."""

from __future__ import annotations

from brokerage.domain.accounts.account import TradingState
from brokerage.domain.accounts.strategy_book import StrategyBook
from brokerage.domain.orders.record import OrderRecord
from brokerage.domain.orders.states import OrderState
from brokerage.domain.risk.context import increases
from brokerage.domain.risk.fence import Fence, VenueKind, lets_go
from brokerage.domain.trading import commands


def may_go(
    book: StrategyBook, trading: TradingState, record: OrderRecord, fence: Fence, at: VenueKind = VenueKind.PAPER
) -> bool:
    """Whether the account's trading state and the fence let a released order go to its kind of venue."""
    reducing = _is_cut(book, record, at) or not increases(
        record.order.side, record.remaining, book.held(record.order.symbol)
    )
    allowed = trading is TradingState.ACTIVE or (trading is TradingState.REDUCING and reducing)
    return allowed and lets_go(fence, record.order.owner.strategy_id, None if reducing else record.order.side, at)


def _is_cut(book: StrategyBook, record: OrderRecord, at: VenueKind) -> bool:
    """Whether an order for more than is held takes what is held and no more: a reduce-only one on paper, where its
    fills are cut, and a stop that was watched here, which is cut before it leaves.
    """
    cuts = at is VenueKind.PAPER or record.let_go or record.state is OrderState.EMULATED
    return record.order.reduce_only and cuts and book.reducible(record.order) > 0


def narrow(book: StrategyBook, trading: TradingState, record: OrderRecord, fence: Fence) -> None:
    """Where only reducing acts may go, two that each reduce alone must not turn the position round together."""
    owner, side = record.order.owner, record.order.side
    if not fence.may_add(owner.strategy_id, side) or trading is TradingState.REDUCING:
        commands.narrow(book, record.id)
