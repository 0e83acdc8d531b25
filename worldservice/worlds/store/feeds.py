"""Rows of the live feeds of data presets."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy import Connection

from qmtl.sql.instants import instant, micros
from qmtl.sql.statements.lists import any_of
from qmtl.sql.statements.prepared import Prepared
from worldservice.worlds.domain.feed import Feed
from worldservice.worlds.tables import feeds, sessions


def advance_feed(conn: Connection, feed: Feed) -> Feed:
    """Move a feed and the open sessions on its preset forward; the feed as it stands then."""
    watermark_us = micros(feed.watermark)
    found = feeds_of(conn, (feed.data_preset,))
    if found and found[0].watermark >= feed.watermark:
        return found[0]
    values = {"watermark_us": watermark_us, "next_close_us": micros(feed.next_close)}
    where = feeds.c.data_preset == feed.data_preset
    if conn.execute(sa.update(feeds).where(where).values(**values)).rowcount == 0:
        conn.execute(sa.insert(feeds).values(data_preset=feed.data_preset, **values))
    behind = (
        sessions.c.data_preset == feed.data_preset,
        sessions.c.closed_us.is_(None),
        sessions.c.watermark_us < watermark_us,
    )
    conn.execute(sa.update(sessions).where(*behind).values(watermark_us=watermark_us))
    return feed


def feeds_of(conn: Connection, presets: Collection[str]) -> tuple[Feed, ...]:
    """The feeds of presets that have one."""
    rows = _OF.rows(conn, {"presets": list(presets)}) if presets else ()
    return tuple(Feed(row.data_preset, instant(row.watermark_us), instant(row.next_close_us)) for row in rows)


_OF = Prepared(sa.select(feeds).where(feeds.c.data_preset.in_(any_of("presets"))).order_by(feeds.c.data_preset))
