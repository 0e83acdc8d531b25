"""Decisions as clients get them through the gateway: remembered for their ttl, safe when they cannot be had.

Stale or unreachable: COMPUTE_ONLY, marked stale, within the caller's own deadline. Only for clients: neither the gate
nor the workers read it. An event or a forwarded write about a world forgets what was remembered of it.
"""

from __future__ import annotations

from collections import OrderedDict

import structlog

from gateway.peers import Peers
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.clock import Clock
from qmtl.core.errors import DeadlineExceeded, Exhausted, Unavailable
from qmtl.core.roles import Role
from qmtl.rpc.auth.call import current_call, require_world
from qmtl.rpc.auth.roles import WorldRoles
from qmtl.wire.instants import instant_to_proto
from qmtl.world.v1 import decision_pb2 as decisionpb
from qmtl.world.v1 import evaluation_service_pb2 as evaluationservicepb

REMEMBERED_MAX = 10_000
PATIENCE_S = 2.0
SHARE = 0.7  # of the caller's time that is left for each question to worldservice: the rest is to answer in
AWAY = (Unavailable, DeadlineExceeded, Exhausted)
Key = tuple[str, int, int]
log = structlog.stdlib.get_logger("qmtl.gateway.proxy")


class DecisionCache:
    """One remembered decision per (world, as_of)."""

    def __init__(self, peers: Peers, roles: WorldRoles, clock: Clock) -> None:
        self._peers = peers
        self._roles = roles
        self._clock = clock
        self._known: OrderedDict[Key, tuple[decisionpb.DecisionEnvelope, float]] = OrderedDict()
        self._written: dict[str, int] = {}
        self._forgotten = 0

    async def decide(self, request: evaluationservicepb.DecideRequest) -> decisionpb.DecisionEnvelope:
        """The decision or the safe default. Raises what worldservice says of the caller or the world."""
        require_world(request.world_id)
        try:
            await self._roles.require_known(request.world_id, Role.READER, _patience_s())
            known = self._fresh(_key(request))
            return known if known is not None else await self._ask(request)
        except AWAY as error:
            log.warning("decision_safe_default", world_id=request.world_id, reason=error.reason)
            return self._safe(request, error.reason)

    def forget(self, world_id: str) -> None:
        """Something about the world changed; what is on its way now is not remembered either."""
        self._written[world_id] = self._written.get(world_id, 0) + 1
        for key in [key for key in self._known if key[0] == world_id]:
            del self._known[key]
        if len(self._written) > REMEMBERED_MAX:
            self.forget_all()

    def forget_all(self) -> None:
        """Anything may have changed, unheard."""
        self._forgotten += 1
        self._written.clear()
        self._known.clear()

    async def _ask(self, request: evaluationservicepb.DecideRequest) -> decisionpb.DecisionEnvelope:
        before, asked = self._heard_of(request.world_id), self._clock.monotonic()
        decision = (await self._peers.evaluation.Decide(request, timeout=_patience_s())).decision
        if self._heard_of(request.world_id) == before:
            self._known[_key(request)] = decision, asked + decision.ttl.ToTimedelta().total_seconds()
            if len(self._known) > REMEMBERED_MAX:
                self._known.popitem(last=False)
        return decision

    def _heard_of(self, world_id: str) -> tuple[int, int]:
        """Differs from what it was when something was forgotten since."""
        return self._forgotten, self._written.get(world_id, 0)

    def _fresh(self, key: Key) -> decisionpb.DecisionEnvelope | None:
        known = self._known.get(key)
        if known is None:
            return None
        decision, until = known
        return decision if self._clock.monotonic() < until else None

    def _safe(self, request: evaluationservicepb.DecideRequest, why: str) -> decisionpb.DecisionEnvelope:
        """What holds when nothing is known: compute-only, and nobody selected."""
        decision = decisionpb.DecisionEnvelope(
            world_id=request.world_id,
            effective_mode=commonpb.EFFECTIVE_MODE_COMPUTE_ONLY,
            reasons=[decisionpb.DECISION_REASON_DECISION_UNAVAILABLE],
            message=why,
            decided_at=instant_to_proto(self._clock.now()),
            stale=True,
        )
        if request.HasField("as_of"):
            decision.as_of.CopyFrom(request.as_of)
        decision.ttl.FromSeconds(0)
        return decision


def _patience_s() -> float:
    """How long worldservice may take over one question, so that the safe default still arrives in time."""
    left = current_call().remaining_s()
    return PATIENCE_S if left is None else min(PATIENCE_S, SHARE * left)


def _key(request: evaluationservicepb.DecideRequest) -> Key:
    return request.world_id, request.as_of.seconds, request.as_of.nanos
