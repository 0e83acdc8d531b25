"""The newest activation of a world, followed through breaks of the stream.

It informs and never opens a gate: the gateway and brokerage decide each order again, so an activation that is a
moment old costs a refusal at most.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import TypeVar

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.core.decimals import parse_decimal
from qmtl.core.errors import InvalidRequest, NotReady, PermissionDenied, QmtlError, Unavailable
from qmtl.core.traffic import version_of
from qmtl.gateway.v1 import event_pb2 as eventpb
from qmtl.gateway.v1 import event_service_pb2 as eventservicepb
from qmtl.rpc.client.streams import scoped
from qmtl.rpc.metadata import bearer
from qmtl.sdk.execution.legs import Route
from qmtl.sdk.mesh.client import Client
from qmtl.sdk.mesh.retrying import RetryingClient
from qmtl.sdk.mesh.session.streams import Newest
from qmtl.wire.instants import ns_from_proto
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import session_pb2 as sessionpb

T = TypeVar("T")
DOMAINS = {
    commonpb.EFFECTIVE_MODE_LIVE: commonpb.EXECUTION_DOMAIN_LIVE,
    commonpb.EFFECTIVE_MODE_PAPER: commonpb.EXECUTION_DOMAIN_DRYRUN,
}
"""Modes in which orders are sent, and the domain of their session; in SHADOW and all others none is, not even one that
reduces. Live comes first: a strategy that trades in both has money there.
"""


class FollowedShares:
    """The newest shares of a strategy's versions."""

    def __init__(self) -> None:
        self._weights: dict[int, float] = {}
        self._revision = 0

    def offer(self, revision: int, changed: controlpb.SentinelWeightUpdated) -> None:
        """Take all shares of the strategy, unless they are older than those held."""
        if revision >= self._revision:
            self._revision = revision
            self._weights = {
                one.version: float(parse_decimal(one.traffic_weight, "sentinel.traffic_weight"))
                for one in changed.sentinels
            }

    def route(self, strategy_id: str, symbol: str, version: int) -> Route:
        """Whose a symbol is, as a version sees it (0: the newest); its own, where no shares are known."""
        if not self._weights:
            return Route.MINE
        owner = version_of(strategy_id, symbol, self._weights)
        if owner is None:
            return Route.NOBODYS
        return Route.MINE if owner == (version or max(self._weights)) else Route.OTHERS


class FollowedActivation:
    """The newest activation of one world, and with it the shares of the strategy's versions."""

    def __init__(self) -> None:
        self._newest = Newest(activationpb.ActivationEnvelope())
        self.shares = FollowedShares()

    @property
    def envelope(self) -> activationpb.ActivationEnvelope:
        """The newest envelope; empty before the first."""
        return self._newest.value

    def offer(self, envelope: activationpb.ActivationEnvelope) -> None:
        """Take an envelope if it is newer than the one held."""
        if envelope.world_revision > self.envelope.world_revision:
            self._newest.put(envelope)

    async def until(self, found: Callable[[activationpb.ActivationEnvelope], T | None], limit_s: float, what: str) -> T:
        """The first thing found in an envelope. Raises NotReady (E_NOT_ACTIVATED) after the limit."""
        try:
            return await self._newest.until(found, limit_s)
        except TimeoutError:
            raise NotReady(
                "E_NOT_ACTIVATED",
                f"{what} within {limit_s:g} s",
                hint="an operator sets the strategy's activation to stage PAPER, an apply to LIVE",
            ) from None

    async def leaves(self, strategy_id: str, domain: commonpb.ExecutionDomain) -> None:
        """Return once the strategy trades in a session of another domain."""
        await self._newest.until(lambda envelope: moved(envelope, strategy_id, domain) or None, None)

    def entries(
        self, strategy_id: str, now_ns: int, domain: commonpb.ExecutionDomain
    ) -> list[activationpb.ActivationEntry]:
        """Entries under which the strategy may send orders in a domain now: neither frozen nor outside their window."""
        mine = [e for e in self.envelope.entries if e.strategy_id == strategy_id and _is_open(e, now_ns)]
        return [entry for entry in mine if DOMAINS.get(entry.effective_mode) == domain]

    def weight(self, strategy_id: str, side: commonpb.Side, known: Decimal) -> Decimal:
        """The weight of a strategy on a side; where it has no entry, the one that was known."""
        for entry in self.envelope.entries:
            if entry.strategy_id == strategy_id and entry.side == side:
                return parse_decimal(entry.weight or "0", "entry.weight")
        return known

    def live_since_ns(self, strategy_id: str, side: commonpb.Side) -> int:
        """When a side of a strategy was promoted, in ns; 0: it may take no risk in LIVE."""
        for entry in self.envelope.entries:
            if (entry.strategy_id, entry.side) == (strategy_id, side) and entry.HasField("live_since"):
                return ns_from_proto(entry.live_since, "entry.live_since")
        return 0

    def allows(
        self, strategy_id: str, side: commonpb.Side, *, reduces: bool, now_ns: int, domain: commonpb.ExecutionDomain
    ) -> bool:
        """Whether an order on a side may be sent in a domain; a draining side only reduces."""
        entries = [e for e in self.entries(strategy_id, now_ns, domain) if e.side == side]
        return any(reduces or not entry.drain for entry in entries)


def trading_session(envelope: activationpb.ActivationEnvelope, strategy_id: str) -> sessionpb.Session | None:
    """The open session of the domain that a strategy trades in, LIVE or DRYRUN; None: it trades in none.

    One that drains trades until it holds nothing.
    """
    modes = {e.effective_mode for e in envelope.entries if e.strategy_id == strategy_id and (e.active or e.drain)}
    domain = next((domain for mode, domain in DOMAINS.items() if mode in modes), None)
    is_open = sessionpb.SESSION_STATE_OPEN
    return next((s for s in envelope.sessions if s.execution_domain == domain and s.state == is_open), None)


def moved(envelope: activationpb.ActivationEnvelope, strategy_id: str, domain: commonpb.ExecutionDomain) -> bool:
    """Whether a strategy trades in a session of another domain; one that trades in none has not moved."""
    there = trading_session(envelope, strategy_id)
    return there is not None and there.execution_domain != domain


def followers(envelope: activationpb.ActivationEnvelope) -> list[str]:
    """Strategies that are active in PAPER: the session waits for each of them from its first bar on."""
    paper = commonpb.EFFECTIVE_MODE_PAPER
    return sorted({e.strategy_id for e in envelope.entries if e.active and e.effective_mode == paper})


async def follow_activation(
    retrying: RetryingClient, world: str, strategy_id: str, activation: FollowedActivation
) -> None:
    """Keep it current from the world's event stream, for ever; resumes after every break."""
    resume = ""
    while True:
        try:
            async for frame in _frames(retrying.client, world, strategy_id, resume):
                retrying.outage.answered()
                for event in _events(frame):
                    kind = event.WhichOneof("payload")
                    if kind == "activation_updated":
                        activation.offer(event.activation_updated.activation)
                    elif kind == "sentinel_weight_updated" and event.key == strategy_id:
                        activation.shares.offer(event.revision, event.sentinel_weight_updated)
                resume = _resume_token(frame) or resume
            raise Unavailable("E_STREAM_ENDED", "the event stream ended")
        except (InvalidRequest, PermissionDenied):
            if not resume:
                raise
            resume = ""  # a token of another scope or build: begin with the snapshot again
        except QmtlError as error:
            await retrying.outage.failed(error, "events")


async def _frames(client: Client, world: str, strategy_id: str, resume: str) -> AsyncIterator[eventpb.Frame]:
    request = eventservicepb.CreateEventStreamRequest(
        world_id=world, strategy_id=strategy_id, topics=[eventpb.TOPIC_ACTIVATION, eventpb.TOPIC_SENTINEL]
    )
    stream = (await client.events.CreateEventStream(request)).stream
    asked = eventservicepb.SubscribeEventsRequest(resume_token=resume)
    with scoped(client.events.SubscribeEvents(asked, metadata=bearer(stream.stream_token))) as replies:
        async for reply in replies:
            yield reply.frame
            if reply.frame.notice.kind == eventpb.NOTICE_KIND_GOING_AWAY:
                return


def _events(frame: eventpb.Frame) -> list[controlpb.ControlEvent]:
    return [*frame.snapshot.states, *frame.events.events]


def _resume_token(frame: eventpb.Frame) -> str:
    return frame.events.resume_token or frame.bookmark.resume_token or frame.notice.resume_token


def _is_open(entry: activationpb.ActivationEntry, now_ns: int) -> bool:
    starts = ns_from_proto(entry.valid_from, "entry.valid_from") if entry.HasField("valid_from") else now_ns
    ends = ns_from_proto(entry.valid_until, "entry.valid_until") if entry.HasField("valid_until") else now_ns + 1
    trades = (entry.active or entry.drain) and not entry.freeze
    return trades and starts <= now_ns < ends
