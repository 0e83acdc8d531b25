"""Rows of live feeds: they only go forward, and presets are current together or not at all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from worldservice.tables import metadata
from worldservice.worlds.domain.feed import Feed
from worldservice.worlds.store.feeds import advance_feed, feeds_of

NOW = datetime(2026, 1, 5, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def test_a_feed_goes_forward_only_and_one_that_is_told_again_stays_as_it_was() -> None:
    engine = sa.create_engine("sqlite://")
    metadata.create_all(engine)
    with engine.begin() as conn:
        first = Feed("a", NOW, NOW + MINUTE)
        assert advance_feed(conn, first) == first
        assert advance_feed(conn, Feed("a", NOW, NOW + 5 * MINUTE)) == first
        assert advance_feed(conn, Feed("a", NOW - MINUTE, NOW)) == first
        later = Feed("a", NOW + MINUTE, NOW + 2 * MINUTE)
        assert advance_feed(conn, later) == later
        assert feeds_of(conn, ("a",)) == (later,)
        assert feeds_of(conn, ("a", "b")) == (later,)
        advance_feed(conn, Feed("b", NOW, NOW + MINUTE))
        assert [feed.data_preset for feed in feeds_of(conn, ("a", "b"))] == ["a", "b"]
        assert feeds_of(conn, ()) == ()
