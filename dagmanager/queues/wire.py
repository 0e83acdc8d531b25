"""Tag queries and states of queues as messages."""

from __future__ import annotations

from collections.abc import Collection

from google.protobuf.duration_pb2 import Duration

from dagmanager.queues.domain.queues import MatchMode, QueueState, TagQuery, tag_query
from qmtl.core.errors import refused
from qmtl.core.identity.keys import INTERVAL_S_MAX
from qmtl.dag.v1 import queue_pb2 as queuepb
from qmtl.wire.contexts import DOMAINS, domain_number
from qmtl.wire.fields import known_enum

MATCH_MODES = {queuepb.MATCH_MODE_ANY: MatchMode.ANY, queuepb.MATCH_MODE_ALL: MatchMode.ALL}
STATES = {
    QueueState.ACTIVE: queuepb.QUEUE_STATE_ACTIVE,
    QueueState.RELEASED: queuepb.QUEUE_STATE_RELEASED,
    QueueState.ARCHIVED: queuepb.QUEUE_STATE_ARCHIVED,
    QueueState.DROPPED: queuepb.QUEUE_STATE_DROPPED,
}
MATCH_NUMBERS = {value: number for number, value in MATCH_MODES.items()}


def tag_query_from_proto(message: queuepb.TagQuery) -> TagQuery:
    """A normalised query. Raises InvalidRequest (E_TAG_QUERY, E_ENUM)."""
    domain = message.execution_domain
    return tag_query(
        message.tags,
        known_enum(MATCH_MODES, message.match_mode, "query.match_mode"),
        _interval_s(message.interval),
        message.world_id,
        known_enum(DOMAINS, domain, "query.execution_domain") if domain else None,
    )


def tag_query_to_proto(query: TagQuery) -> queuepb.TagQuery:
    """The inverse of tag_query_from_proto."""
    return queuepb.TagQuery(
        tags=query.tags,
        match_mode=MATCH_NUMBERS[query.match_mode],
        interval=Duration(seconds=query.interval_s),
        world_id=query.world_id,
        execution_domain=domain_number(query.execution_domain),
    )


def check_key_count(keys: Collection[str], most: int) -> None:
    """Raises InvalidRequest (E_TOO_MANY_KEYS)."""
    if len(keys) > most:
        raise refused("E_TOO_MANY_KEYS", "compute_keys", str(len(keys)), f"at most {most}")


def _interval_s(message: Duration) -> int:
    if message.nanos or not 0 <= message.seconds <= INTERVAL_S_MAX:
        found = f"{message.seconds} s {message.nanos} ns"
        raise refused("E_TAG_QUERY", "query.interval", found, f"whole seconds, 0 to {INTERVAL_S_MAX}")
    return message.seconds
