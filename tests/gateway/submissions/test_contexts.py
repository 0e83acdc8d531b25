"""The context of a submission: at which instant of which data it is computed, by what a world has."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import TypeVar, cast

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from gateway.peers import Peers
from gateway.submissions.contexts import resolve
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import NotFound, NotReady
from qmtl.core.modes import ComputeContext
from qmtl.data.v1 import artifact_service_pb2 as artifactservicepb
from qmtl.data.v1 import artifacts_pb2 as artifactspb
from qmtl.gateway.v1 import strategy_pb2 as strategypb
from qmtl.wire.instants import instant_from_proto
from qmtl.world.v1 import binding_pb2 as bindingpb
from qmtl.world.v1 import decision_pb2 as decisionpb
from qmtl.world.v1 import session_pb2 as sessionpb
from qmtl.world.v1 import session_service_pb2 as sessionservicepb

SEALED, STARTED, ASKED = Timestamp(seconds=1_700_000_000, nanos=1_999), Timestamp(seconds=1_600_000_000), 1_500_000_000
T = TypeVar("T")


def answers(found: T | Exception) -> Callable[[object], Awaitable[T]]:
    async def answer(request: object) -> T:
        if isinstance(found, Exception):
            raise found
        return found

    return answer


def artifacts(*sealed: artifactspb.Artifact) -> artifactservicepb.ListArtifactsResponse:
    return artifactservicepb.ListArtifactsResponse(artifacts=sealed)


NEWEST = artifactspb.Artifact(as_of=SEALED, dataset_fingerprint="sha256:newest")
OLDER = artifactspb.Artifact(as_of=STARTED, dataset_fingerprint="sha256:older")


async def context(
    found: artifactservicepb.ListArtifactsResponse | Exception,
    *,
    presets: tuple[str, ...] = ("p",),
    session: sessionservicepb.GetSessionResponse | Exception | None = None,
    mode: commonpb.EffectiveMode = commonpb.EFFECTIVE_MODE_COMPUTE_ONLY,
    hints: strategypb.ComputeHints | None = None,
) -> ComputeContext:
    peers = SimpleNamespace(
        artifacts=SimpleNamespace(ListArtifacts=answers(found)),
        sessions=SimpleNamespace(GetSession=answers(session or NotFound("E_SESSION_UNKNOWN", "none"))),
    )
    decision = decisionpb.DecisionEnvelope(world_id="w", effective_mode=mode)
    given = hints or strategypb.ComputeHints()
    return await resolve(cast("Peers", peers), given, decision, bindingpb.STAGE_PAPER, presets)


async def test_a_backtest_is_of_the_newest_sealed_data_in_whole_microseconds() -> None:
    found = await context(artifacts(NEWEST, OLDER))
    assert found.as_of == instant_from_proto(Timestamp(seconds=1_700_000_000, nanos=1_000), "as_of")
    assert found.dataset_fingerprint == "sha256:newest"


@pytest.mark.parametrize("missing", [artifacts(), NotFound("E_DATASET_UNKNOWN", "no"), NotReady("E_DATASET", "no")])
async def test_without_sealed_data_it_is_of_none(
    missing: artifactservicepb.ListArtifactsResponse | Exception,
) -> None:
    for found in (await context(missing), await context(artifacts(NEWEST), presets=())):
        assert (found.as_of, found.dataset_fingerprint) == (None, "")


async def test_an_instant_that_is_asked_for_stands() -> None:
    hints = strategypb.ComputeHints(as_of=Timestamp(seconds=ASKED))
    found = await context(artifacts(NEWEST), hints=hints)
    assert found.as_of == instant_from_proto(Timestamp(seconds=ASKED), "as_of")
    assert found.dataset_fingerprint == ""


async def test_on_paper_it_is_of_the_start_of_the_session_or_of_nothing() -> None:
    session = sessionservicepb.GetSessionResponse(session=sessionpb.Session(start=STARTED))
    paper = commonpb.EFFECTIVE_MODE_PAPER
    found = await context(artifacts(NEWEST), session=session, mode=paper)
    assert found.as_of == instant_from_proto(STARTED, "start")
    assert (await context(artifacts(NEWEST), mode=paper)).as_of is None
