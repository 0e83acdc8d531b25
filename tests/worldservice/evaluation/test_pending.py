"""What becomes of runs whose replay failed: outages are waited for, a list that costs too much is not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from qmtl.core.errors import DeadlineExceeded, Exhausted, NotReady, QmtlError, Unavailable
from qmtl.sql.database import Database
from tests.worldservice.samples import NOW, evidence
from worldservice.evaluation.replay.pending import LEASE, PendingReplay, ReplayState, after_failure
from worldservice.evaluation.replay.store import find_pending, get_list, put_list, put_pending, take_due
from worldservice.worlds.domain.binding import Stage

WAITING = PendingReplay("w1", "s", evidence(), "ann", "", NOW, NOW)
AWAY = Unavailable("E_UNAVAILABLE", "brokerage is away")


def after(*errors: QmtlError) -> PendingReplay:
    found = WAITING
    for error in errors:
        assert found.state is ReplayState.PENDING
        found = after_failure(found, error, NOW)
    return found


@pytest.mark.parametrize(
    "costly",
    [
        DeadlineExceeded("E_DEADLINE_EXCEEDED", "no time"),
        Unavailable("E_CANCELLED_INSIDE", "its process ended with -9"),
    ],
)
def test_the_fifth_replay_that_takes_all_it_may_is_the_last(costly: QmtlError) -> None:
    assert after(*[costly] * 4).state is ReplayState.PENDING
    last = after(*[costly] * 5)
    assert (last.state, last.reason, last.spent) == (ReplayState.REFUSED, costly.reason, 5)


def test_outages_and_turns_of_others_are_not_held_against_a_list() -> None:
    waits = [AWAY, Exhausted("E_OVERLOADED", "others"), NotReady("E_REPLAY_CUT", "cut")] * 5
    late = DeadlineExceeded("E_DEADLINE_EXCEEDED", "no time")
    found = after(*waits, late)
    assert (found.state, found.attempts, found.spent) == (ReplayState.PENDING, 16, 1)
    assert after(*waits, *[late] * 5).state is ReplayState.REFUSED


def test_the_distance_doubles_to_a_minute() -> None:
    waits = [after(*[AWAY] * many).due_at - NOW for many in (1, 2, 3, 6, 7, 40)]
    assert waits == [timedelta(seconds=seconds) for seconds in (1, 2, 4, 32, 60, 60)]


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url, synchronous="NORMAL")
    await database.migrate("worldservice:migrations")
    yield database
    await database.close()


async def test_worlds_take_turns_and_a_world_has_its_runs_in_order(db: Database) -> None:
    for place, (world_id, strategy_id) in enumerate([("busy", "1"), ("busy", "2"), ("busy", "3"), ("calm", "4")]):
        row = replace(
            WAITING, world_id=world_id, strategy_id=strategy_id, due_at=NOW + timedelta(seconds=place), spent=2
        )
        await db.write(lambda conn, row=row: put_pending(conn, row))  # type: ignore[misc]  # bound now
    later, after_world, taken = NOW + timedelta(seconds=9), "", list[str]()
    for _ in range(5):
        found = await db.write(lambda conn, after=after_world: take_due(conn, later, after))  # type: ignore[misc]
        if found is not None:
            after_world = found.world_id
            taken.append(found.strategy_id)
            assert found.spent == 2
    assert taken == ["1", "4", "2", "3"]
    leased = await db.read(lambda conn: find_pending(conn, "calm", "4", Stage.BACKTEST))
    assert leased is not None
    assert leased.due_at == later + LEASE


async def test_the_lists_of_a_world_have_a_bound_and_those_of_another_their_own(db: Database) -> None:
    async def keep(world_id: str, strategy_id: str, name: str, size: int) -> None:
        key, body = (world_id, strategy_id, name), b"x" * size
        await db.write(lambda conn: put_list(conn, key, body, NOW, bytes_max=100))

    await keep("w1", "s", "a", 60)
    await keep("w1", "t", "b", 40)
    await keep("w2", "s", "a", 100)
    with pytest.raises(
        Exhausted, match="E_ORDER_LISTS_FULL: order lists of world w1 take 100 bytes, 1 more are above 100"
    ):
        await keep("w1", "t", "c", 1)
    await keep("w1", "s", "a", 60)  # the same again takes its own place
    with pytest.raises(Exhausted, match="take 40 bytes, 61 more"):
        await keep("w1", "s", "a", 61)
    assert await db.read(lambda conn: len(get_list(conn, "w1", "s", "a"))) == 60  # what was refused took nothing away
