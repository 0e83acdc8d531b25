"""Following a world while it changes: activation, own order events. Streams break and resume; nothing is missed.

What arrives here informs; it never opens a gate. The gateway's gate and brokerage's fence decide each order
again, so a view that is a moment old costs a refusal at most.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, TypeVar

from qmtl.broker.v1 import broker_pb2 as brokerpb
from qmtl.broker.v1 import service_pb2 as brokerservicepb
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.core.errors import InvalidRequest, NotReady, PermissionDenied, QmtlError, Unavailable
from qmtl.gateway.v1 import gateway_pb2 as gatewaypb
from qmtl.gateway.v1 import service_pb2 as gatewayservicepb
from qmtl.rpc.streams import scoped
from qmtl.sdk.client import Client, Line
from qmtl.sdk.strategy import FillEvent
from qmtl.sdk.wire import Desk, fill_from_proto, nanoseconds
from qmtl.world.v1 import world_pb2 as worldpb

T = TypeVar("T")


class ActivationView:
    """The newest activation of one world."""

    def __init__(self) -> None:
        self.envelope = worldpb.ActivationEnvelope()
        self._changed = asyncio.Event()

    def offer(self, envelope: worldpb.ActivationEnvelope) -> None:
        """Take an envelope if it is newer than the one held."""
        if envelope.revision > self.envelope.revision:
            self.envelope = envelope
            woken, self._changed = self._changed, asyncio.Event()
            woken.set()

    async def until(self, found: Callable[[worldpb.ActivationEnvelope], T | None], limit_s: float, what: str) -> T:
        """The first thing found in an envelope. Raises NotReady (E_NOT_ACTIVATED) after the limit."""
        try:
            async with asyncio.timeout(limit_s):
                while True:
                    changed = self._changed
                    if (thing := found(self.envelope)) is not None:
                        return thing
                    await changed.wait()
        except TimeoutError:
            raise NotReady(
                "E_NOT_ACTIVATED",
                f"{what} within {limit_s:g} s",
                hint="an operator sets the strategy's activation to stage PAPER",
            ) from None

    def entries(self, strategy_id: str, now_ns: int) -> list[worldpb.ActivationEntry]:
        """Entries under which the strategy may send orders now: neither frozen nor outside their window."""
        return [e for e in self.envelope.entries if e.strategy_id == strategy_id and _is_open(e, now_ns)]

    def allows(self, strategy_id: str, side: commonpb.Side, *, reduces: bool, now_ns: int) -> bool:
        """Whether an order on a side may be sent; a draining side only reduces."""
        entries = [e for e in self.entries(strategy_id, now_ns) if e.side == side]
        return any(reduces or not entry.drain for entry in entries)


def paper_session(envelope: worldpb.ActivationEnvelope, strategy_id: str) -> worldpb.Session | None:
    """The open DRYRUN session of the world, once the strategy is active in PAPER."""
    sessions = [
        session
        for session in envelope.sessions
        if session.execution_domain == commonpb.EXECUTION_DOMAIN_DRYRUN and session.state == worldpb.SESSION_STATE_OPEN
    ]
    return sessions[0] if strategy_id in followers(envelope) and sessions else None


def followers(envelope: worldpb.ActivationEnvelope) -> list[str]:
    """Strategies that are active in PAPER: the session waits for each of them from its first bar on."""
    paper = commonpb.EFFECTIVE_MODE_PAPER
    return sorted({e.strategy_id for e in envelope.entries if e.active and e.effective_mode == paper})


async def follow_activation(line: Line, world: str, strategy_id: str, view: ActivationView) -> None:
    """Keep a view current from the world's event stream, for ever; resumes after every break."""
    resume = ""
    while True:
        try:
            async for frame in _frames(line.client, world, strategy_id, resume):
                line.patience.answered()
                for event in _events(frame):
                    if event.WhichOneof("payload") == "activation_updated":
                        view.offer(event.activation_updated.activation)
                resume = _resume_token(frame) or resume
            raise Unavailable("E_STREAM_ENDED", "the event stream ended")
        except (InvalidRequest, PermissionDenied):
            if not resume:
                raise
            resume = ""  # a token of another scope or build: begin with the snapshot again
        except QmtlError as error:
            await line.patience.failed(error, "events")


async def follow_fills(line: Line, desk: Desk, on_fill: Callable[[FillEvent], None]) -> None:
    """Report each fill of the desk's orders once, from now on, for ever; resumes by the account's sequence."""
    sequence = 0
    while True:
        request = brokerservicepb.StreamOrderEventsRequest(
            account=desk.account, world_id=desk.world_id, strategy_id=desk.strategy_id, after_sequence=sequence
        )
        try:
            with scoped(line.client.brokerage.StreamOrderEvents(request)) as replies:
                async for reply in replies:
                    line.patience.answered()
                    if reply.WhichOneof("part") == "snapshot":
                        sequence = max(sequence, reply.snapshot.sequence)
                    for event in reply.events.events:
                        if event.sequence > sequence:
                            sequence = event.sequence
                            if event.HasField("fill"):
                                on_fill(fill_from_proto(event.fill))
            raise Unavailable("E_STREAM_ENDED", "the order stream ended")
        except QmtlError as error:
            await line.patience.failed(error, "order events")


async def list_orders(line: Line, desk: Desk) -> list[brokerpb.OrderStatus]:
    """Every order of the desk, newest first."""
    found: list[brokerpb.OrderStatus] = []
    page = commonpb.PageRequest(page_size=1000)
    while True:
        request = brokerservicepb.ListOrdersRequest(
            account=desk.account, world_id=desk.world_id, strategy_id=desk.strategy_id, page=page
        )
        reply = await line.ask(partial(line.client.brokerage.ListOrders, request), "orders")
        found.extend(reply.statuses)
        if not reply.page.next_page_token:
            return found
        page = commonpb.PageRequest(page_size=1000, page_token=reply.page.next_page_token)


async def list_fills(line: Line, desk: Desk) -> list[FillEvent]:
    """Every fill of the desk's orders, in the order they were booked."""
    found: list[brokerpb.Fill] = []
    page = commonpb.PageRequest(page_size=1000)
    while True:
        request = brokerservicepb.ListFillsRequest(
            account=desk.account, world_id=desk.world_id, strategy_id=desk.strategy_id, page=page
        )
        reply = await line.ask(partial(line.client.brokerage.ListFills, request), "fills")
        found.extend(reply.fills)
        if not reply.page.next_page_token:
            return [fill_from_proto(fill) for fill in sorted(found, key=lambda fill: fill.sequence)]
        page = commonpb.PageRequest(page_size=1000, page_token=reply.page.next_page_token)


async def beside(work: Coroutine[Any, Any, T], *followers: Awaitable[None]) -> T:
    """Do the work while the followers follow; a follower that fails ends it with its error."""
    main = asyncio.ensure_future(work)
    beside_it = [asyncio.ensure_future(each) for each in followers]
    try:
        await asyncio.wait([main, *beside_it], return_when=asyncio.FIRST_COMPLETED)
        for follower in beside_it:
            if follower.done():
                follower.result()
        return await main
    finally:
        main.cancel()
        for follower in beside_it:
            follower.cancel()
        await asyncio.gather(main, *beside_it, return_exceptions=True)


async def _frames(client: Client, world: str, strategy_id: str, resume: str) -> AsyncIterator[gatewaypb.Frame]:
    request = gatewayservicepb.CreateEventStreamRequest(
        world_id=world, strategy_id=strategy_id, topics=[gatewaypb.TOPIC_ACTIVATION]
    )
    stream = (await client.gateway.CreateEventStream(request)).stream
    asked = gatewayservicepb.SubscribeEventsRequest(token=stream.token, resume_token=resume)
    with scoped(client.gateway.SubscribeEvents(asked)) as replies:
        async for reply in replies:
            yield reply.frame
            if reply.frame.notice.kind == gatewaypb.NOTICE_KIND_GOING_AWAY:
                return


def _events(frame: gatewaypb.Frame) -> list[controlpb.ControlEvent]:
    return [*frame.snapshot.states, *frame.events.events]


def _resume_token(frame: gatewaypb.Frame) -> str:
    return frame.events.resume_token or frame.bookmark.resume_token or frame.notice.resume_token


def _is_open(entry: worldpb.ActivationEntry, now_ns: int) -> bool:
    starts = nanoseconds(entry.valid_from) if entry.HasField("valid_from") else now_ns
    ends = nanoseconds(entry.valid_until) if entry.HasField("valid_until") else now_ns + 1
    return (entry.active or entry.drain) and not entry.freeze and starts <= now_ns < ends
