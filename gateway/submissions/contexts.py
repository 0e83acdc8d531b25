"""The compute context of one strategy in one world: the lower of the world's ceiling and the strategy's own stage.

The client's hints are hints. A snapshot is pinned here when the client names none: the newest sealed artifact of the
world's data, or the start of the world's session.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from google.protobuf import timestamp_pb2

from gateway.peers import Peers
from gateway.submissions.wire import hint_from_proto, hinted_as_of
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import NotFound, NotReady
from qmtl.core.modes import ComputeContext, EffectiveMode, ModeDecision, decide_context, domain_of, lower
from qmtl.data.v1 import artifact_service_pb2 as artifactservicepb
from qmtl.gateway.v1 import strategy_pb2 as strategypb
from qmtl.wire.contexts import DOMAIN_NUMBERS, MODES
from qmtl.wire.fields import known_enum
from qmtl.wire.instants import instant_from_proto
from qmtl.world.v1 import binding_pb2 as bindingpb
from qmtl.world.v1 import decision_pb2 as decisionpb
from qmtl.world.v1 import session_service_pb2 as sessionservicepb

STAGE_CEILING: Mapping[bindingpb.Stage, EffectiveMode] = {
    bindingpb.STAGE_BACKTEST: EffectiveMode.VALIDATE,
    bindingpb.STAGE_PAPER: EffectiveMode.PAPER,
    bindingpb.STAGE_LIVE: EffectiveMode.LIVE,
}


async def resolve(
    peers: Peers,
    hints: strategypb.ComputeHints,
    decision: decisionpb.DecisionEnvelope,
    stage: bindingpb.Stage,
    presets: Sequence[str],
) -> ComputeContext:
    """The context now; `presets`: the world's. Raises Unavailable while a service that must be asked is away."""
    ceiling = known_enum(MODES, decision.effective_mode, "decision.effective_mode")
    mode = lower(ceiling, known_enum(STAGE_CEILING, stage, "binding.stage"))
    pinned, fingerprint = hinted_as_of(hints), ""
    if mode in (EffectiveMode.PAPER, EffectiveMode.LIVE):
        pinned = await _session_start(peers, decision.world_id, mode)
    elif pinned is None and presets:
        pinned, fingerprint = await _newest_artifact(peers, presets[0]) or (None, "")
    return decide_context(
        hint_from_proto(decision.world_id, hints),
        ModeDecision(mode, dataset_fingerprint=fingerprint),
        stale=decision.stale,
        as_of=pinned,
    )


async def _session_start(peers: Peers, world_id: str, mode: EffectiveMode) -> datetime | None:
    request = sessionservicepb.GetSessionRequest(world_id=world_id, execution_domain=DOMAIN_NUMBERS[domain_of(mode)])
    try:
        found = await peers.sessions.GetSession(request)
    except NotFound:
        return None
    return instant_from_proto(found.session.start, "session.start")


async def _newest_artifact(peers: Peers, preset: str) -> tuple[datetime, str] | None:
    """as_of and fingerprint of the newest sealed artifact of a preset; None when there is none to have."""
    try:
        found = await peers.artifacts.ListArtifacts(
            artifactservicepb.ListArtifactsRequest(dataset=preset, page=commonpb.PageRequest(page_size=1))
        )
    except (NotFound, NotReady):
        return None
    if not found.artifacts:
        return None
    newest = found.artifacts[0]
    return instant_from_proto(_whole_microseconds(newest.as_of), "artifact.as_of"), newest.dataset_fingerprint


def _whole_microseconds(stamp: timestamp_pb2.Timestamp) -> timestamp_pb2.Timestamp:
    return timestamp_pb2.Timestamp(seconds=stamp.seconds, nanos=stamp.nanos // 1000 * 1000)
