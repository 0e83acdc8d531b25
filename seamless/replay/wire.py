"""Data sessions and their bars, message to value and back."""

from qmtl.data.v1 import bars_pb2 as barspb
from qmtl.data.v1 import data_service_pb2 as dataservicepb
from qmtl.data.v1 import data_session_service_pb2 as datasessionservicepb
from qmtl.data.v1 import data_sessions_pb2 as datasessionspb
from qmtl.wire.instants import ns_to_proto
from seamless.domain.bars import Bars
from seamless.domain.fingerprints import decimals
from seamless.domain.playback import Delivery, Replay
from seamless.domain.session_requests import SessionRequest, SubscribeQuery
from seamless.wire import ns_from_proto


def open_from_proto(request: datasessionservicepb.OpenDataSessionRequest) -> SessionRequest:
    """The session asked for. Raises InvalidRequest (E_DATA_SESSION, E_TIMESTAMP)."""
    start = ns_from_proto(request.start, "start") if request.HasField("start") else None
    return SessionRequest(request.session_id, start, request.days, request.bars_per_second, tuple(request.followers))


def subscribe_from_proto(request: dataservicepb.SubscribeRequest) -> SubscribeQuery:
    """The subscription asked for. Raises InvalidRequest (E_TIMESTAMP)."""
    start = ns_from_proto(getattr(request, "from"), "from") if request.HasField("from") else None
    return SubscribeQuery(request.dataset, request.session_id, start, request.follower)


def replay_to_proto(replay: Replay, waiting_for: tuple[str, ...]) -> datasessionspb.DataSession:
    """A session as it stands, with the followers that have not confirmed its newest bar."""
    return datasessionspb.DataSession(
        session_id=replay.session_id,
        preset=replay.preset,
        dataset=replay.dataset,
        start=ns_to_proto(replay.span.start_ns),
        end=ns_to_proto(replay.span.end_ns),
        bars_per_second=replay.bars_per_s,
        watermark=ns_to_proto(replay.watermark_ns),
        opened_at=ns_to_proto(replay.opened_at_ns),
        dataset_fingerprint=replay.history,
        waiting_for=waiting_for,
    )


def delivery_to_proto(delivery: Delivery, interval_ns: int) -> dataservicepb.SubscribeResponse:
    """Released bars with the watermark they reach."""
    return dataservicepb.SubscribeResponse(
        bars=bars_to_proto(delivery.bars, interval_ns),
        watermark=ns_to_proto(delivery.watermark_ns),
        end_of_session=delivery.last,
    )


def bars_to_proto(table: Bars, interval_ns: int) -> list[barspb.Bar]:
    """Bars as messages, prices and volume as exact decimal text."""
    rows = zip(table.time_ns.tolist(), *(decimals(v) for v in table.values()), strict=True)
    return [
        barspb.Bar(
            open_time=ns_to_proto(opened),
            close_time=ns_to_proto(opened + interval_ns),
            open=first,
            high=high,
            low=low,
            close=last,
            volume=volume,
        )
        for opened, first, high, low, last, volume in rows
    ]
