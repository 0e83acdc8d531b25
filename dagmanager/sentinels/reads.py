"""Sentinels as people ask for them, newest version first."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from dagmanager.access import Worlds
from dagmanager.plans.reads import require_visible
from dagmanager.sentinels import store, wire
from dagmanager.tables import outbox, sentinels
from qmtl.dag.v1 import sentinel_service_pb2 as sentinelservicepb
from qmtl.wire.paging import page_from_proto, page_of


def list_sentinels(
    conn: Connection, request: sentinelservicepb.ListSentinelsRequest, worlds: Worlds
) -> sentinelservicepb.ListSentinelsResponse:
    """A strategy's sentinels, newest version first."""
    page, strategy_id = page_from_proto(request, (int,)), request.strategy_id
    wanted = sa.select(sentinels).where(sentinels.c.strategy_id == strategy_id)
    if page.after is not None:
        wanted = wanted.where(sentinels.c.version < page.after[0])
    rows = conn.execute(wanted.order_by(sentinels.c.version.desc()).limit(page.size + 1)).all()
    if rows:
        require_visible(conn, strategy_id, worlds)
    found, info = page_of(
        rows, page, lambda row: (row.version,), lambda row: wire.sentinel_to_proto(store.sentinel_of(row))
    )
    return sentinelservicepb.ListSentinelsResponse(
        sentinels=found, page=info, sentinel_set_revision=outbox.revision(conn, "sentinel_weight_updated", strategy_id)
    )
