"""An operator changes a version's share of the traffic."""

from __future__ import annotations

from sqlalchemy import Connection

from dagmanager.queues.events import Cause
from dagmanager.sentinels import domain as rules
from dagmanager.sentinels import events, store
from dagmanager.sentinels.domain import Sentinel


def set_weight(conn: Connection, sentinel_id: str, weight: float, etag: str, cause: Cause) -> Sentinel:
    """Set a version's share of traffic and publish on change only.

    Raises NotFound (E_SENTINEL_UNKNOWN), InvalidRequest (E_TRAFFIC_WEIGHT), Conflict (E_ETAG_MISMATCH).
    """
    strategy_id = store.require_sentinel(conn, sentinel_id).strategy_id
    before = lock_sentinel(conn, strategy_id, sentinel_id)
    after = rules.with_weight(before, weight, etag)
    if after is not before:
        store.store_weight(conn, after)
        events.publish_weights(conn, strategy_id, store.lock_sentinels(conn, strategy_id), cause)
    return after


def lock_sentinel(conn: Connection, strategy_id: str, sentinel_id: str) -> Sentinel:
    for sentinel in store.lock_sentinels(conn, strategy_id):
        if sentinel.sentinel_id == sentinel_id:
            return sentinel
    return store.require_sentinel(conn, sentinel_id)
