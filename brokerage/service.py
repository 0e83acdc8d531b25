"""The brokerage's servicer: one short method per RPC. Rules: domain; transactions: trading; answers: reads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Connection

from brokerage.access import Access
from brokerage.accounts import opening, trading_state
from brokerage.accounts import store as accounts_store
from brokerage.accounts.access import may_hear_of
from brokerage.accounts.wire import TRADING_STATES, VENUE, account_to_proto
from brokerage.audit import calling_actor
from brokerage.books import portfolio
from brokerage.commit_notices import Pulse, either
from brokerage.domain.accounts.account import Account
from brokerage.domain.orders.order import Order
from brokerage.domain.risk.fence import Fence
from brokerage.feeds.follow import FeedFollower
from brokerage.fences import change
from brokerage.fences import store as fences_store
from brokerage.fences.wire import fence_from_proto, fence_to_proto
from brokerage.fields import text
from brokerage.instants import instant_ns
from brokerage.market.context import MarketContext
from brokerage.orders import listings, readiness, submit
from brokerage.orders import store as orders_store
from brokerage.orders.cancel import cancel_all, cancel_order
from brokerage.orders.replies import status_to_proto
from brokerage.orders.wire import gate_from_proto, name_from_proto, order_from_proto
from brokerage.status import StatusReport
from brokerage.venues.dispatch.reported_fills import book_fills, report_from_proto
from brokerage.venues.paper.store import arrivals
from qmtl.broker.v1 import broker_pb2 as brokerpb
from qmtl.broker.v1 import service_pb2 as pb
from qmtl.broker.v1 import service_pb2_grpc as rpc
from qmtl.core.clock import Clock
from qmtl.core.errors import NotFound, PermissionDenied, Unavailable
from qmtl.core.roles import Role
from qmtl.rpc.auth.call import require_world
from qmtl.sql.database import Database
from qmtl.wire.fields import known_enum

PLANNED = {
    "SubmitOrderList": "Brokerage, complete",
    "ReplaceOrder": "Brokerage, complete",
    "ReconcileVenue": "Brokerage, complete",
}
ARRIVAL_S = 2.0
REASON_MAX = 500

Context = Any  # grpc.aio.ServicerContext; the interceptors use it, no method here does
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Parts:
    """What the servicer is made of."""

    db: Database
    market: MarketContext
    access: Access
    openings: opening.AccountOpening
    venue: FeedFollower
    status: StatusReport
    clock: Clock
    draining: asyncio.Event
    stream_poll_s: float
    accounts_max: int


class Brokerage(rpc.BrokerageServiceServicer):
    """Orders, fills, positions and cash behind their contract."""

    def __init__(self, parts: Parts) -> None:
        self._db = parts.db
        self._market = parts.market
        self._access = parts.access
        self._openings = parts.openings
        self._venue = parts.venue
        self._status = parts.status
        self._clock = parts.clock
        self._draining = parts.draining
        self._poll_s = parts.stream_poll_s
        self._accounts_max = parts.accounts_max
        self._orders = Pulse(parts.db, orders_store.ORDERS_SIGNAL)
        self._bars = Pulse(parts.db, accounts_store.BARS_SIGNAL)
        self._fences = Pulse(parts.db, fences_store.FENCES_SIGNAL)

    async def OpenPaperAccount(
        self, request: pb.OpenPaperAccountRequest, context: Context
    ) -> pb.OpenPaperAccountResponse:
        await self._access.require(text(request.world_id, "world_id"), Role.OPERATOR)
        wanted, actor = await self._openings.draft(request, self._now_ns()), calling_actor()
        account = await self._db.write(lambda conn: opening.open_account(conn, wanted, actor, self._accounts_max))
        self._venue.opened()
        return pb.OpenPaperAccountResponse(account=account_to_proto(account))

    async def SubmitOrder(self, request: pb.SubmitOrderRequest, context: Context) -> pb.SubmitOrderResponse:
        order, gate = order_from_proto(request.order), gate_from_proto(request.gate)
        require_world(order.owner.world_id)
        seen = await self._in_step(order, gate.epoch)
        now_ns = self._now_ns()
        stored, known = await self._db.write(
            lambda conn: submit.submit(conn, self._market, order, request.order, gate, now_ns, seen.limits)
        )
        return pb.SubmitOrderResponse(status=status_to_proto(stored), duplicate=known)

    async def CancelOrder(self, request: pb.CancelOrderRequest, context: Context) -> pb.CancelOrderResponse:
        name = name_from_proto(request.key)
        require_world(name.owner.world_id)
        now_ns = self._now_ns()
        stored = await self._db.write(lambda conn: cancel_order(conn, self._market, name, now_ns, arrivals))
        return pb.CancelOrderResponse(status=status_to_proto(stored))

    async def CancelAll(self, request: pb.CancelAllRequest, context: Context) -> pb.CancelAllResponse:
        account = await self._db.read(lambda conn: accounts_store.account(conn, request.account, request.world_id))
        require_world(account.world_id)
        now_ns = self._now_ns()
        stored = await self._db.write(
            lambda conn: cancel_all(conn, self._market, account.account, request.strategy_id, now_ns, arrivals)
        )
        return pb.CancelAllResponse(statuses=[status_to_proto(one) for one in stored])

    async def GetOrder(self, request: pb.GetOrderRequest, context: Context) -> pb.GetOrderResponse:
        name = name_from_proto(request.key)
        await self._access.require(name.owner.world_id, Role.READER)
        stored = await self._db.read(lambda conn: orders_store.order(conn, name, self._market.instruments))
        return pb.GetOrderResponse(status=status_to_proto(stored))

    async def ListOrders(self, request: pb.ListOrdersRequest, context: Context) -> pb.ListOrdersResponse:
        await self._readable(request.account, request.world_id)
        return await self._db.read(lambda conn: listings.list_orders(conn, self._market, request))

    async def StreamOrderEvents(
        self, request: pb.StreamOrderEventsRequest, context: Context
    ) -> AsyncIterator[pb.StreamOrderEventsResponse]:
        account = await self._readable(request.account, request.world_id)
        listings.check_resume(account, request.after_sequence)
        strategy, sequence = request.strategy_id, request.after_sequence
        if not sequence:
            snapshot = await self._db.read(
                lambda conn: listings.order_snapshot(
                    conn, self._market, accounts_store.account(conn, request.account), strategy
                )
            )
            sequence = snapshot.sequence
            yield pb.StreamOrderEventsResponse(snapshot=snapshot)
        while not self._draining.is_set():
            beat = self._orders.next()
            events, reached = await self._events(account.account, strategy, sequence)
            if events:
                yield pb.StreamOrderEventsResponse(events=pb.OrderEvents(events=events))
            if reached == sequence:
                await either(beat, self._draining, self._poll_s)
            sequence = reached
        raise going_away(sequence)

    async def GetPortfolio(self, request: pb.GetPortfolioRequest, context: Context) -> pb.GetPortfolioResponse:
        account = await self._readable(request.account, request.world_id)
        return pb.GetPortfolioResponse(portfolio=await self._portfolio(account.account))

    async def StreamPortfolio(
        self, request: pb.StreamPortfolioRequest, context: Context
    ) -> AsyncIterator[pb.StreamPortfolioResponse]:
        account = await self._readable(request.account)
        last = None
        while not self._draining.is_set():
            beat = self._bars.next()
            book = await self._portfolio(account.account)
            if book != last:
                yield pb.StreamPortfolioResponse(portfolio=book)
            last = book
            await either(beat, self._draining, self._poll_s)
        raise going_away(account.event_sequence)

    async def ListPositions(self, request: pb.ListPositionsRequest, context: Context) -> pb.ListPositionsResponse:
        await self._readable(request.account, request.world_id)
        return await self._of(request.account, partial(portfolio.list_positions, request=request))

    async def GetCash(self, request: pb.GetCashRequest, context: Context) -> pb.GetCashResponse:
        await self._readable(request.account)
        return pb.GetCashResponse(balances=await self._of(request.account, portfolio.cash))

    async def ListFills(self, request: pb.ListFillsRequest, context: Context) -> pb.ListFillsResponse:
        await self._readable(request.account, request.world_id)
        return await self._db.read(lambda conn: listings.list_fills(conn, self._market, request))

    async def BookFills(
        self, request_iterator: AsyncIterator[pb.BookFillsRequest], context: Context
    ) -> pb.BookFillsResponse:
        booked = duplicates = 0
        async for request in request_iterator:
            reports = [report_from_proto(fill) for fill in request.fills]
            for report in reports:
                require_world(report.name.owner.world_id)
            book = partial(book_fills, market=self._market, reported=reports, now_ns=self._now_ns())
            new, known = await self._db.write(book)
            booked, duplicates = booked + new, duplicates + known
        return pb.BookFillsResponse(booked=booked, duplicates=duplicates)

    async def GetVenueStatus(self, request: pb.GetVenueStatusRequest, context: Context) -> pb.GetVenueStatusResponse:
        if request.venue not in ("", VENUE):
            raise NotFound("E_VENUE_UNKNOWN", f"no venue {request.venue!r}, there is {VENUE!r}")
        found = await self._db.read(accounts_store.accounts)
        return self._status.venue([account for account in found if await self._may_read(account)])

    async def SetTradingState(self, request: pb.SetTradingStateRequest, context: Context) -> pb.SetTradingStateResponse:
        state = known_enum(TRADING_STATES, request.state, "state")
        account = await self._db.read(lambda conn: accounts_store.account(conn, request.account))
        await self._access.require(account.world_id, Role.OPERATOR)
        reason, actor, now_ns = request.reason[:REASON_MAX], calling_actor(), self._now_ns()
        changed = await self._db.write(
            lambda conn: trading_state.set_trading_state(conn, account.account, state, reason, actor, now_ns)
        )
        return pb.SetTradingStateResponse(account=account_to_proto(changed))

    async def SetFence(self, request: pb.SetFenceRequest, context: Context) -> pb.SetFenceResponse:
        wanted, actor, now_ns = fence_from_proto(request), calling_actor(), self._now_ns()
        fence, updated_ns, wire = await self._db.write(lambda conn: change.set_fence(conn, wanted, actor, now_ns))
        return pb.SetFenceResponse(fence=fence_to_proto(fence, updated_ns), on_the_wire=wire)

    async def GetFence(self, request: pb.GetFenceRequest, context: Context) -> pb.GetFenceResponse:
        await self._access.require(text(request.world_id, "world_id"), Role.READER)
        fence, updated_ns = await self._db.read(lambda conn: change.current(conn, request.world_id))
        return pb.GetFenceResponse(fence=fence_to_proto(fence, updated_ns))

    async def GetStatus(self, request: pb.GetStatusRequest, context: Context) -> pb.GetStatusResponse:
        found = await self._db.read(accounts_store.accounts)
        return await self._status.report([account for account in found if may_hear_of(account.world_id)])

    async def _readable(self, name: str, world_id: str = "") -> Account:
        """The account, if the caller may read its world."""
        account = await self._db.read(lambda conn: accounts_store.account(conn, name, world_id))
        await self._access.require(account.world_id, Role.READER)
        return account

    async def _may_read(self, account: Account) -> bool:
        try:
            await self._access.require(account.world_id, Role.READER)
        except PermissionDenied:
            return False
        return True

    async def _of(self, name: str, read: Callable[[Connection, MarketContext, Account], T]) -> T:
        """Read something of an account in one snapshot with the account itself."""
        return await self._db.read(lambda conn: read(conn, self._market, accounts_store.account(conn, name)))

    async def _portfolio(self, name: str) -> brokerpb.Portfolio:
        return await self._of(name, portfolio.portfolio)

    async def _events(self, name: str, strategy: str, sequence: int) -> tuple[list[brokerpb.OrderEvent], int]:
        return await self._db.read(lambda conn: listings.order_events(conn, self._market, name, strategy, sequence))

    async def _in_step(self, order: Order, epoch: int) -> Fence:
        """The fence as it stands once it and the bar an order was decided on are here, or do not come in time."""
        world_id = order.owner.world_id
        seen = await self._db.read(lambda conn: readiness.in_step(conn, order, epoch))
        if seen is not None:
            return seen
        await self._wait(self._bars, lambda conn: readiness.caught_up(conn, order))
        await self._wait(self._fences, lambda conn: readiness.known_fence(conn, world_id, epoch) is not None)
        return (await self._db.read(lambda conn: change.current(conn, world_id)))[0]

    async def _wait(self, pulse: Pulse, holds: Callable[[Connection], bool]) -> None:
        """Let what was told to others a moment ago arrive here too, before an order is judged without it.

        Bounded: what does not come in time is judged as unknown, which narrows.
        """
        until = self._clock.monotonic() + ARRIVAL_S
        while (left_s := until - self._clock.monotonic()) > 0:
            beat = pulse.next()
            if await self._db.read(holds):
                return
            await either(beat, self._draining, min(left_s, self._poll_s))

    def _now_ns(self) -> int:
        return instant_ns(self._clock.now())


def going_away(sequence: int) -> Unavailable:
    """How a stream ends when the server stops: resume elsewhere, after the last sequence."""
    return Unavailable(
        "E_GOING_AWAY", "the server is stopping", hint="resume", metadata={"sequence": str(sequence)}, retry_after_s=0.5
    )
