"""Stream keys of several gateways over one database."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from gateway.events.key_store import AHEAD, StoredStreamKeys
from gateway.events.tokens import Scope
from qmtl.core.clock import VirtualClock
from qmtl.core.errors import Unauthenticated
from qmtl.gateway.v1 import event_pb2 as eventpb
from qmtl.sql.database import Database

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
SCOPE = Scope("ada", "w1", "", (eventpb.TOPIC_ACTIVATION,))
DAY, YEARS = timedelta(days=1), timedelta(days=3650)


def token(stored: StoredStreamKeys) -> str:
    return stored.keys.stream_token(SCOPE, YEARS, "s")[0]


async def test_gateways_that_start_together_share_one_key(db: Database) -> None:
    clock = VirtualClock(NOW)
    gateways = await asyncio.gather(*(StoredStreamKeys.load(db, clock) for _ in range(4)))
    for one in gateways:
        assert one.keys.public() == gateways[0].keys.public()
        assert one.keys.opened(token(gateways[0])).stream_id == "s"


async def test_a_new_key_is_known_everywhere_before_it_signs_and_the_old_one_is_kept_for_one_more(
    db: Database,
) -> None:
    clock = VirtualClock(NOW)
    one, other = await StoredStreamKeys.load(db, clock), await StoredStreamKeys.load(db, clock)
    first = token(one)
    assert not await one.rotate(30 * DAY)
    clock.advance(30 * DAY)
    assert sorted(await asyncio.gather(one.rotate(30 * DAY), other.rotate(30 * DAY))) == [False, True]
    late = await StoredStreamKeys.load(db, clock)
    before = token(one)
    clock.advance(AHEAD)
    second = token(one)
    assert second != before
    for each in (one, other, late):
        for made in (first, before, second):
            each.keys.opened(made)
    clock.advance(30 * DAY)
    assert await other.rotate(30 * DAY)
    await one.look()
    one.keys.opened(second)
    with pytest.raises(Unauthenticated, match="E_STREAM_TOKEN"):
        one.keys.opened(first)
