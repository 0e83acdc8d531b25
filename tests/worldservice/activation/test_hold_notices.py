"""What one replica of worldservice could not write is known at the others, as far as the broker tells."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from structlog.testing import capture_logs

from controlbus.bus import Bus, connected
from qmtl.core.clock import VirtualClock
from qmtl.core.tasks.ending import end
from tests.worldservice.harness import eventually
from worldservice.activation.domain.hold import Hold, HoldState
from worldservice.activation.domain.unwritten import UnwrittenHolds
from worldservice.activation.hold_notices import SUBJECT, HoldNotices

FREEZE, DRAIN = Hold("freeze:1", HoldState.FROZEN), Hold("drain:1", HoldState.DRAINED)


def replica(bus: Bus) -> tuple[UnwrittenHolds, HoldNotices]:
    unwritten = UnwrittenHolds(VirtualClock(datetime(2026, 1, 5, tzinfo=UTC)))
    return unwritten, HoldNotices(bus, unwritten)


async def test_a_hold_that_one_replica_could_not_write_is_known_at_another(nats_url: str) -> None:
    async with connected(nats_url, service="a") as bus, connected(nats_url, service="b") as other:
        await bus.ensure_streams()
        _, here = replica(bus)
        known, there = replica(other)
        hearing = asyncio.create_task(there.run())
        try:

            async def heard() -> bool:
                """Whoever means a hold asks on."""
                await bus.link.publish(f"{SUBJECT}.w.FROZEN", b"\xff", {})
                await here.tell("w 1/2", FREEZE)
                await here.tell("w2", DRAIN)
                return set(known.current()) == {("w 1/2", FREEZE), ("w2", DRAIN)}

            await eventually(heard)
            assert not hearing.done()
        finally:
            await end(hearing)


async def test_while_the_broker_is_away_too_a_hold_counts_where_it_was_asked_for() -> None:
    bus = await Bus.connect("nats://127.0.0.1:1", service="a")
    try:
        unwritten, notices = replica(bus)
        with capture_logs() as logs:
            await notices.tell("w1", FREEZE)
    finally:
        await bus.close()
    assert unwritten.current() == (("w1", FREEZE),)
    assert [(one["event"], one["world_id"]) for one in logs if one["event"] == "hold_untold"] == [("hold_untold", "w1")]
