"""Data sessions and their bars, message to value and back."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from qmtl.core.volumes import VolumeUnit
from qmtl.data.v1 import bars_pb2 as barspb
from qmtl.data.v1 import data_service_pb2 as dataservicepb
from qmtl.data.v1 import data_session_service_pb2 as datasessionservicepb
from qmtl.data.v1 import data_sessions_pb2 as datasessionspb
from qmtl.wire.instants import ns_to_proto, span_from_proto
from qmtl.wire.volumes import volume_unit_to_proto
from seamless.domain.manifests import Manifest
from seamless.domain.sessions.playback import Delivery, Replay
from seamless.domain.sessions.requests import LENGTH_DEFAULT, SessionRequest, SubscribeQuery
from seamless.live.feed_clock import FeedClock
from seamless.live.store import LiveSession
from seamless.wire import bars_to_proto, ns_from_proto, span_to_proto


@dataclass(frozen=True, slots=True)
class Labels:
    """What is said of a subscription's bars beside their values: of each member its interval and preset, and what all
    volumes count. No presets: there is one member, whose unit is known.
    """

    intervals_ns: tuple[int, ...]
    unit: VolumeUnit | None
    presets: tuple[str, ...] = ()


def open_from_proto(request: datasessionservicepb.OpenDataSessionRequest) -> SessionRequest:
    """The session asked for. Raises InvalidRequest (E_DATA_SESSION, E_TIMESTAMP, E_DURATION)."""
    start = ns_from_proto(request.start_time, "start_time") if request.HasField("start_time") else None
    length = span_from_proto(request.span, "span") if request.HasField("span") else None
    return SessionRequest(
        session_id=request.session_id,
        world_id=request.world_id,
        start_ns=start,
        length=length or LENGTH_DEFAULT,
        bars_per_s=request.bars_per_second,
        followers=tuple(request.followers),
    )


def subscribe_from_proto(request: dataservicepb.SubscribeRequest) -> SubscribeQuery:
    """The subscription asked for. Raises InvalidRequest (E_TIMESTAMP)."""
    start = ns_from_proto(request.start_time, "start_time") if request.HasField("start_time") else None
    return SubscribeQuery(request.dataset, request.session_id, start, request.follower)


def replay_to_proto(replay: Replay, waiting_for: tuple[str, ...]) -> datasessionspb.DataSession:
    """A session as it stands, with the followers that have not confirmed its newest bar."""
    return datasessionspb.DataSession(
        session_id=replay.session_id,
        world_id=replay.world_id,
        preset=replay.preset,
        dataset=replay.members[0].dataset if len(replay.members) == 1 else "",
        start_time=ns_to_proto(replay.span.start_ns),
        end_time=ns_to_proto(replay.span.end_ns),
        bars_per_second=replay.bars_per_s,
        watermark=ns_to_proto(replay.watermark_ns),
        opened_at=ns_to_proto(replay.opened_at_ns),
        dataset_fingerprint=replay.history,
        waiting_for=waiting_for,
        members=[
            datasessionspb.DataSessionMember(preset=one.preset, dataset=one.dataset, dataset_fingerprint=one.history)
            for one in (replay.members if len(replay.members) > 1 else ())
        ],
        recorded_session_id=replay.recorded,
    )


def live_to_proto(session: LiveSession, clock: FeedClock, universe: Sequence[str]) -> datasessionspb.DataSession:
    """A session on live feeds as it stands; it has no end before it is closed. `universe`: its presets now."""
    told = datasessionspb.DataSession(
        session_id=session.session_id,
        world_id=session.world_id,
        preset=session.preset,
        dataset=session.members[0].dataset if len(session.members) == 1 else "",
        start_time=ns_to_proto(session.start_ns),
        end_time=ns_to_proto(session.closed_at_ns) if session.closed_at_ns else None,
        watermark=ns_to_proto(clock.watermark_ns),
        opened_at=ns_to_proto(session.opened_at_ns),
        dataset_fingerprint=session.history,
    )
    if len(session.members) > 1 or sorted(universe) != sorted(one.preset for one in session.members):
        told.members.extend(
            datasessionspb.DataSessionMember(
                preset=member.preset,
                dataset=member.dataset,
                dataset_fingerprint=member.history,
                watermark=ns_to_proto(clock.reach_ns(feed)),
                lags=clock.lags(feed),
            )
            for member, feed in zip(session.members, clock.feeds, strict=True)
        )
    told.universe_changed = sorted(universe) != sorted(one.preset for one in session.members)
    return told


def recordings_to_proto(found: Iterable[tuple[str, Manifest]]) -> list[datasessionspb.Recording]:
    """What bars were sealed as, by preset."""
    return [
        datasessionspb.Recording(
            preset=preset,
            dataset=manifest.dataset,
            dataset_fingerprint=manifest.fingerprint,
            as_of=ns_to_proto(manifest.watermark_ns),
            range=span_to_proto(manifest.span),
            rows=manifest.rows,
        )
        for preset, manifest in found
    ]


def delivery_to_proto(delivery: Delivery, labels: Labels) -> dataservicepb.SubscribeResponse:
    """Released bars with the watermark they reach."""
    places = [0] * len(delivery.bars) if delivery.members is None else delivery.members.tolist()
    return dataservicepb.SubscribeResponse(
        bars=bars_to_proto(
            delivery.bars,
            [labels.intervals_ns[place] for place in places],
            [labels.presets[place] for place in places] if labels.presets else [""] * len(places),
        ),
        watermark=ns_to_proto(delivery.watermark_ns),
        reached=ns_to_proto(delivery.reached_ns or delivery.watermark_ns),
        end_of_session=delivery.last,
        volume_unit=volume_unit_to_proto(labels.unit) if labels.unit else barspb.VOLUME_UNIT_UNSPECIFIED,
    )
