"""One trade stream: many orders and cancels on a call, their answers, and the events of the orders they touched.

Acts on one order go in the order they came; others go side by side, a bounded number at a time. What fails is an
answer of its act and ends nothing. An order is followed once its act is allowed, and its events are shown as long as
its world may be seen. A stream on which nothing comes and nothing goes is let go after a while.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial

from gateway.events.feed import Feed
from gateway.orders.wire import LIST_MAX
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.core.errors import DeadlineExceeded, Exhausted, InvalidRequest, QmtlError, Unavailable
from qmtl.core.tasks.ending import end
from qmtl.gateway.v1 import trading_service_pb2 as tradingservicepb

AT_ONCE_MAX = 32
REPLIES_MAX = 1_000
FOLLOWED_MAX = 10_000  # orders of one stream whose events it shows; those that ended go first, then the oldest
ENDED = frozenset(
    {
        orderpb.ORDER_STATE_DENIED,
        orderpb.ORDER_STATE_REJECTED,
        orderpb.ORDER_STATE_CANCELED,
        orderpb.ORDER_STATE_EXPIRED,
        orderpb.ORDER_STATE_FILLED,
    }
)
LOOK_S = 0.5
Key = tuple[str, str, str, str]
Act = Callable[[], Awaitable[tradingservicepb.TradeStreamResponse]]
Requests = AsyncIterator[tradingservicepb.TradeStreamRequest]
Replies = AsyncGenerator[tradingservicepb.TradeStreamResponse, None]


@dataclass(slots=True)
class Followed:
    """A world whose events are looked at: after which position, for how many orders, and what ends the looking."""

    position: int
    orders: int = 0
    watched: ExitStack = field(default_factory=ExitStack)


@dataclass(frozen=True, slots=True)
class TradeActs:
    """What may be asked for on a stream. Each checks that the caller may act so, raising if not, and answers with the
    act, whose reply has no correlation id yet.
    """

    submit: Callable[[orderpb.Order], Awaitable[Act]]
    submit_list: Callable[[tradingservicepb.SubmitOrderListRequest], Awaitable[Act]]
    replace: Callable[[tradingservicepb.ReplaceOrderRequest], Awaitable[Act]]
    cancel: Callable[[orderpb.OrderKey], Awaitable[Act]]


class TradeStreamCall:
    """One call. `may_see` says whether the events of a world are for the caller; `orders` has the events."""

    def __init__(
        self,
        orders: Feed[orderpb.OrderEvents],
        acts: TradeActs,
        may_see: Callable[[str], Awaitable[object]],
        draining: asyncio.Event,
        idle_s: float,
        followed_max: int = FOLLOWED_MAX,
    ) -> None:
        self._orders = orders
        self._allow = acts
        self._may_see = may_see
        self._followed_max = followed_max
        self._draining = draining
        self._idle_s = idle_s
        self._moved_at = _now()
        self._replies: asyncio.Queue[tradingservicepb.TradeStreamResponse | None] = asyncio.Queue(REPLIES_MAX)
        self._room = asyncio.Semaphore(AT_ONCE_MAX)
        self._last_acts: dict[Key, asyncio.Task[None]] = {}  # the last act of each order
        self._acts: set[asyncio.Task[None]] = set()  # all that are under way or wait for their turn
        self._followed: OrderedDict[Key, bool] = OrderedDict()  # whether it ended; the first is let go first
        self._worlds: dict[str, Followed] = {}
        self._woken = asyncio.Event()
        self._over = False  # nobody takes replies any more

    async def replies(self, requests: Requests) -> Replies:
        """Answers and events, until the client has ended its side and every act is answered.

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
            await end(watching, acting, *self._acts)
            for followed in self._worlds.values():
                followed.watched.close()

    async def _next(self) -> tradingservicepb.TradeStreamResponse | None:
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
                keys = _keys(request)
                before = {self._last_acts[key] for key in keys if key in self._last_acts}
                act_task = asyncio.create_task(self._act(request, keys, before))
                self._last_acts.update(dict.fromkeys(keys, act_task))
                self._acts.add(act_task)
                act_task.add_done_callback(partial(self._done, keys))
            await asyncio.gather(*self._acts)
        finally:
            if not self._over:
                await self._replies.put(None)

    def _done(self, keys: Sequence[Key], act_task: asyncio.Task[None]) -> None:
        self._room.release()
        self._acts.discard(act_task)
        for key in keys:
            if self._last_acts.get(key) is act_task:
                del self._last_acts[key]

    async def _act(
        self, request: tradingservicepb.TradeStreamRequest, keys: Sequence[Key], before: set[asyncio.Task[None]]
    ) -> None:
        if before:
            await asyncio.wait(before)
        try:
            act = await self._allowed(request)
            for key in keys:
                await self._follow(key)
            reply = await act()
        except QmtlError as error:
            reply = tradingservicepb.TradeStreamResponse(error=_error(error))
        reply.correlation_id = request.correlation_id
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
        if len(self._followed) > self._followed_max and not self._let_go(next(iter(self._followed))):
            await self._replies.put(
                _cut("E_TRADE_STREAM_LAGS", f"more than {self._followed_max} open orders: read the account")
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

    async def _allowed(self, request: tradingservicepb.TradeStreamRequest) -> Act:
        """What is asked for, once it is allowed. Raises InvalidRequest (E_ACT) and what forbids it."""
        match request.WhichOneof("act"):
            case "submit":
                return await self._allow.submit(request.submit)
            case "submit_list":
                return await self._allow.submit_list(request.submit_list)
            case "replace":
                return await self._allow.replace(request.replace)
            case "cancel":
                return await self._allow.cancel(request.cancel)
        raise InvalidRequest("E_ACT", "act is missing, want submit, submit_list, replace or cancel")

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
        mine = [event for _, step in found for event in step.events if _event_key(event) in self._followed]
        if not mine:
            return
        try:
            await self._may_see(world_id)
        except QmtlError as error:
            for key in [key for key in self._followed if key[1] == world_id]:
                self._let_go(key)
            await self._replies.put(_cut(error.reason, f"events of world {world_id} end: {error.message}"))
            return
        for event in mine:
            if event.state in ENDED:
                self._ended(_event_key(event))
            await self._replies.put(tradingservicepb.TradeStreamResponse(event=event))

    def _ended(self, key: Key) -> None:
        if key in self._followed:
            self._followed[key] = True
            self._followed.move_to_end(key, last=False)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _cut(reason: str, message: str) -> tradingservicepb.TradeStreamResponse:
    return tradingservicepb.TradeStreamResponse(
        error=tradingservicepb.TradeError(reason=reason, message=message, retryable=True)
    )


def _error(error: QmtlError) -> tradingservicepb.TradeError:
    retryable = isinstance(error, Unavailable | DeadlineExceeded | Exhausted) or error.reason == "E_STALE_EPOCH"
    return tradingservicepb.TradeError(reason=error.reason, message=error.message, retryable=retryable)


def _keys(request: tradingservicepb.TradeStreamRequest) -> tuple[Key, ...]:
    """The orders that a request is about, each once; no more than a list may have."""
    named: Iterable[orderpb.Order | orderpb.OrderKey]
    match request.WhichOneof("act"):
        case "cancel":
            named = (request.cancel,)
        case "replace":
            named = (request.replace.key,)
        case "submit_list":
            named = request.submit_list.orders[:LIST_MAX]
        case _:
            named = (request.submit,)
    keys = ((one.account, one.world_id, one.strategy_id, one.client_order_id) for one in named)
    return tuple(dict.fromkeys(keys))


def _event_key(event: orderpb.OrderEvent) -> Key:
    return event.account, event.world_id, event.strategy_id, event.client_order_id
