"""One trade stream: many orders and cancels on a call, their answers, and the events of the orders they touched.

Acts on one order go in the order they came; others go side by side, a bounded number at a time. What fails is an
answer of its act and ends nothing. An order is followed once its act is allowed, and its events are shown as long as
its world may be seen. A stream on which nothing comes and nothing goes is let go after a while.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial

from gateway.events.feed import Feed
from qmtl.broker.v1 import broker_pb2 as brokerpb
from qmtl.broker.v1 import service_pb2 as brokerservicepb
from qmtl.core.errors import DeadlineExceeded, Exhausted, InvalidRequest, QmtlError, Unavailable
from qmtl.gateway.v1 import service_pb2 as servicepb

AT_ONCE_MAX = 32
REPLIES_MAX = 1_000
FOLLOWED_MAX = 10_000  # orders of one stream whose events it shows; those that ended go first, then the oldest
ENDED = frozenset(
    {
        brokerpb.ORDER_STATE_DENIED,
        brokerpb.ORDER_STATE_REJECTED,
        brokerpb.ORDER_STATE_CANCELED,
        brokerpb.ORDER_STATE_EXPIRED,
        brokerpb.ORDER_STATE_FILLED,
    }
)
LOOK_S = 0.5
Key = tuple[str, str, str, str]
Requests = AsyncIterator[servicepb.TradeStreamRequest]
Replies = AsyncGenerator[servicepb.TradeStreamResponse, None]


@dataclass(slots=True)
class Followed:
    """A world whose events are looked at: after which position, for how many orders, and what ends the looking."""

    position: int
    orders: int = 0
    watched: ExitStack = field(default_factory=ExitStack)


@dataclass(frozen=True, slots=True)
class Desk:
    """What a trade stream can do. `allow` says whether the caller may act so, before `submit` or `cancel` does it;
    `may_see` whether the events of a world are for the caller."""

    allow: Callable[[servicepb.TradeStreamRequest], Awaitable[object]]
    submit: Callable[[brokerpb.Order], Awaitable[brokerpb.OrderStatus]]
    cancel: Callable[[brokerservicepb.OrderKey], Awaitable[brokerpb.OrderStatus]]
    may_see: Callable[[str], Awaitable[object]]


class TradeStreamCall:
    """One call at a desk; `orders` has the events."""

    def __init__(self, orders: Feed[brokerpb.OrderEvent], desk: Desk, draining: asyncio.Event, idle_s: float) -> None:
        self._orders = orders
        self._desk = desk
        self._draining = draining
        self._idle_s = idle_s
        self._moved_at = _now()
        self._replies: asyncio.Queue[servicepb.TradeStreamResponse | None] = asyncio.Queue(REPLIES_MAX)
        self._room = asyncio.Semaphore(AT_ONCE_MAX)
        self._lines: dict[Key, asyncio.Task[None]] = {}  # the last act of each order
        self._acts: set[asyncio.Task[None]] = set()  # all that are under way or wait for their turn
        self._followed: OrderedDict[Key, bool] = OrderedDict()  # whether it ended; the first is let go first
        self._worlds: dict[str, Followed] = {}
        self._woken = asyncio.Event()
        self._over = False  # nobody takes replies any more

    async def replies(self, requests: Requests) -> Replies:
        """Answers and events until the client has said its last and all acts are answered.

        Raises Unavailable (E_TRADE_IDLE).
        """
        watching = asyncio.create_task(self._watch())
        acting = asyncio.create_task(self._act_on(requests))
        try:
            while (reply := await self._next()) is not None:
                yield reply
                self._moved_at = _now()
            acting.result()
        finally:
            self._over = True
            tasks = [watching, acting, *self._acts]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for followed in self._worlds.values():
                followed.watched.close()

    async def _next(self) -> servicepb.TradeStreamResponse | None:
        """The next reply, None after the last. Raises Unavailable (E_TRADE_IDLE) when nothing moved for too long."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(self._moved_at + self._idle_s):
                    return await self._replies.get()
            if self._acts:
                self._moved_at = _now()  # an act is under way: the silence is ours
            elif _now() >= self._moved_at + self._idle_s:
                message = f"nothing came and nothing went for {self._idle_s:g} s"
                raise Unavailable("E_TRADE_IDLE", message, hint="open the stream again; any message keeps it open")

    async def _act_on(self, requests: Requests) -> None:
        try:
            async for request in requests:
                self._moved_at = _now()
                await self._room.acquire()
                key = _key(request)
                before = self._lines.get(key)
                line = asyncio.create_task(self._act(request, key, before))
                self._lines[key] = line
                self._acts.add(line)
                line.add_done_callback(partial(self._done, key))
            await asyncio.gather(*self._lines.values())
        finally:
            if not self._over:
                await self._replies.put(None)

    def _done(self, key: Key, line: asyncio.Task[None]) -> None:
        self._room.release()
        self._acts.discard(line)
        if self._lines.get(key) is line:
            del self._lines[key]

    async def _act(self, request: servicepb.TradeStreamRequest, key: Key, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait({before})
        reply = servicepb.TradeStreamResponse(correlation_id=request.correlation_id)
        try:
            if request.WhichOneof("act") is None:
                raise InvalidRequest("E_ACT", "act is missing, want submit or cancel")
            await self._desk.allow(request)
            await self._follow(key)
            reply.status.CopyFrom(await self._answer(request))
        except QmtlError as error:
            reply.error.CopyFrom(_error(error))
        await self._replies.put(reply)

    async def _follow(self, key: Key) -> None:
        """Show events of an order from here on."""
        if key in self._followed:
            self._followed.move_to_end(key)
            return
        world = self._worlds.get(key[1])
        if world is None:
            world = self._worlds[key[1]] = Followed(self._orders.head)
            world.watched.enter_context(self._orders.woken_by(key[1], self._woken))
        world.orders += 1
        self._followed[key] = False
        if len(self._followed) > FOLLOWED_MAX and not self._let_go(next(iter(self._followed))):
            await self._replies.put(
                _cut("E_TRADE_STREAM_LAGS", f"more than {FOLLOWED_MAX} open orders: read the account")
            )

    def _let_go(self, key: Key) -> bool:
        """Show no more events of an order; whether it had ended."""
        ended = self._followed.pop(key)
        world = self._worlds[key[1]]
        world.orders -= 1
        if not world.orders:
            world.watched.close()
            del self._worlds[key[1]]
        return ended

    async def _answer(self, request: servicepb.TradeStreamRequest) -> brokerpb.OrderStatus:
        if request.HasField("submit"):
            return await self._desk.submit(request.submit)
        return await self._desk.cancel(request.cancel)

    async def _watch(self) -> None:
        """Show each event of a touched order once; a client too slow for the feed is told that it missed some."""
        while not self._draining.is_set():
            self._woken.clear()
            for world_id, followed in tuple(self._worlds.items()):
                await self._show(world_id, followed)
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._woken.wait()
        await self._replies.put(_cut("E_GOING_AWAY", "the gateway stops: open the stream again, here or elsewhere"))

    async def _show(self, world_id: str, followed: Followed) -> None:
        if followed.position < self._orders.floor:
            await self._replies.put(_cut("E_TRADE_STREAM_LAGS", "events were missed: read them from the account"))
            followed.position = self._orders.head
        found, followed.position = self._orders.since(world_id, followed.position, REPLIES_MAX)
        mine = [event for _, event in found if _event_key(event) in self._followed]
        if not mine:
            return
        try:
            await self._desk.may_see(world_id)
        except QmtlError as error:
            for key in [key for key in self._followed if key[1] == world_id]:
                self._let_go(key)
            await self._replies.put(_cut(error.reason, f"events of world {world_id} end: {error.message}"))
            return
        for event in mine:
            if event.state in ENDED:
                self._ended(_event_key(event))
            await self._replies.put(servicepb.TradeStreamResponse(event=event))

    def _ended(self, key: Key) -> None:
        if key in self._followed:
            self._followed[key] = True
            self._followed.move_to_end(key, last=False)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _cut(reason: str, message: str) -> servicepb.TradeStreamResponse:
    return servicepb.TradeStreamResponse(error=servicepb.TradeError(reason=reason, message=message, retryable=True))


def _error(error: QmtlError) -> servicepb.TradeError:
    retryable = isinstance(error, Unavailable | DeadlineExceeded | Exhausted) or error.reason == "E_STALE_EPOCH"
    return servicepb.TradeError(reason=error.reason, message=error.message, retryable=retryable)


def _key(request: servicepb.TradeStreamRequest) -> Key:
    named = request.cancel if request.HasField("cancel") else request.submit
    return named.account, named.world_id, named.strategy_id, named.client_order_id


def _event_key(event: brokerpb.OrderEvent) -> Key:
    return event.account, event.world_id, event.strategy_id, event.client_order_id
