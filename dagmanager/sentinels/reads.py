"""Sentinels as people ask for them, newest version first."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from dagmanager import paging
from dagmanager.access import Worlds
from dagmanager.plans.reads import require_visible
from dagmanager.sentinels import store, wire
from dagmanager.tables import sentinels
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.dag.v1 import service_pb2 as servicepb


def list_sentinels(
    conn: Connection, strategy_id: str, page: commonpb.PageRequest, worlds: Worlds
) -> servicepb.ListSentinelsResponse:
    """A strategy's sentinels, newest version first."""
    size, after = paging.page_size(page), paging.after(page, (int,))
    wanted = sa.select(sentinels).where(sentinels.c.strategy_id == strategy_id)
    if after is not None:
        wanted = wanted.where(sentinels.c.version < after[0])
    rows = conn.execute(wanted.order_by(sentinels.c.version.desc()).limit(size)).all()
    if rows:
        require_visible(conn, strategy_id, worlds)
    found = [wire.sentinel_to_proto(store.sentinel_of(row)) for row in rows]
    last = [sentinel.version for sentinel in found[-1:]]
    return servicepb.ListSentinelsResponse(sentinels=found, page=paging.next_page(len(found), size, last))
