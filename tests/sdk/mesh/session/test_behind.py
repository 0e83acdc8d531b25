"""A session that falls behind its feed acts on the newest closed bar only, and its nodes have seen every one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmtl.core.errors import Unavailable
from qmtl.core.instants import from_ns
from qmtl.data.v1 import datasets_pb2 as datasetspb
from qmtl.sdk import FillEvent
from qmtl.sdk.mesh.recordings import RecordedSession
from qmtl.sdk.mesh.session.events import BarDone, CaughtUp, SessionEvent
from qmtl.sdk.mesh.session.result import SessionResult
from qmtl.sdk.mesh.session.run import trade
from qmtl.sdk.mesh.session.streams import ReadAhead
from qmtl.sdk.mesh.session.terms import SessionTerms
from qmtl.sdk.strategy.assembly import assemble
from tests.sdk.mesh.fakes import FakeMesh
from tests.sdk.mesh.samples import PRESET
from tests.sdk.mesh.session.test_session import BARS, START, Cross, submitter

BARS_PLAYED = 120


@dataclass
class Feed:
    """A live feed that waits for its follower at each bar, but for those of its bursts."""

    bursts: frozenset[int]
    done: asyncio.Event = field(default_factory=asyncio.Event)
    bars: int = 0
    told: list[CaughtUp] = field(default_factory=list)

    async def before_bar(self, bar: int) -> None:
        while bar not in self.bursts and self.bars < bar:
            self.done.clear()
            await self.done.wait()

    def heard(self, event: SessionEvent) -> None:
        if isinstance(event, BarDone):
            self.bars = event.bars
            self.done.set()
        if isinstance(event, CaughtUp):
            self.told.append(event)


async def played(bursts: frozenset[int]) -> tuple[SessionResult, Feed]:
    mesh, feed = FakeMesh(BARS, START), Feed(bursts)
    mesh.preset = datasetspb.Preset()
    mesh.preset.CopyFrom(PRESET)
    mesh.preset.replay, mesh.before_bar = False, feed.before_bar
    bound = await submitter(mesh).bind(assemble(Cross()))
    mesh.activate(bound.strategy.strategy_id)
    terms = SessionTerms(until=from_ns(int(BARS.close_ns[START + BARS_PLAYED - 1])))
    return await trade(submitter(mesh), assemble(Cross()), None, terms, feed.heard), feed


def late_of(bursts: frozenset[int]) -> set[int]:
    """Closes before one that comes without waiting for them."""
    return {int(BARS.close_ns[START + bar - 1]) for bar in bursts if 0 < bar < BARS_PLAYED}


def told(fill: FillEvent) -> tuple[object, ...]:
    return fill.symbol, fill.time_ns, fill.quantity, fill.price, fill.fee


@settings(max_examples=5, deadline=None)
@given(st.frozensets(st.integers(1, BARS_PLAYED - 1), max_size=60))
def test_behind_it_decides_as_the_backtest_that_skips_these_closes(bursts: frozenset[int]) -> None:
    result, feed = asyncio.run(played(bursts))
    assert result.late_ns == late_of(bursts)
    assert sum(one.bars for one in feed.told) == len(result.late_ns)
    assert result.bars[0].values.tobytes() == BARS.values[START : START + BARS_PLAYED].tobytes()
    decided = {status.order.decided_at.ToNanoseconds() for status in result.orders}
    assert not decided & result.late_ns
    start = int(BARS.close_ns[START - 1])
    recorded = RecordedSession("r", from_ns(start), (BARS.between(None, start),), result.bars, result.late_ns)
    local = recorded.replay(Cross())
    assert [told(fill) for fill in result.replay.fills] == [told(fill) for fill in local.fills]
    assert result.replay.equity == local.equity


async def test_it_is_told_once_how_many_closes_were_followed_only() -> None:
    result, feed = await played(frozenset(range(41, 61)))
    assert feed.told == [CaughtUp(int(BARS.close_ns[START + 60]), 20)]
    assert "late  20 closes were followed, not acted on" in str(result)
    assert (await played(frozenset()))[1].told == []


async def test_replies_are_read_ahead_up_to_a_limit_and_what_ends_the_stream_comes_after_them() -> None:
    read = list[int]()

    async def replies() -> AsyncIterator[int]:
        for number in range(10):
            yield number
        raise Unavailable("E_TEST", "cut on purpose")

    async with ReadAhead(replies(), read.append, 4) as ahead:
        await ahead.drain()
        assert read == [0, 1, 2, 3, 4]
        assert [await anext(ahead) for _ in range(10)] == read == list(range(10))
        with pytest.raises(Unavailable):
            await anext(ahead)


async def test_once_it_is_ended_it_waits_for_no_other_reply_and_gives_those_read_by_then() -> None:
    ended, cut = asyncio.Event(), list[str]()

    async def replies() -> AsyncIterator[int]:
        yield 1
        yield 2
        try:
            await asyncio.Event().wait()  # a feed that says nothing more
        finally:
            cut.append("cut")

    async with asyncio.timeout(5), ReadAhead(replies(), lambda _: None, ended=ended.wait) as ahead:
        await ahead.drain()
        ended.set()
        assert [one async for one in ahead] == [1, 2]
        assert cut == ["cut"]
