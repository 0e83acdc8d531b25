"""The feed: who listens to it hears what is news, once and in order."""

from __future__ import annotations

import asyncio
from typing import cast

from google.protobuf.wrappers_pb2 import StringValue

from controlbus.bus import Bus, connected
from gateway.events.feed import Feed, Source
from qmtl.core.errors import Unavailable
from qmtl.core.tasks.ending import end
from tests.support.nats import NatsServer
from tests.support.waiting import eventually


async def of_one_world(event: StringValue) -> tuple[str, ...]:
    return ("w1",)


def event_of(body: bytes) -> StringValue | None:
    return StringValue(value=body.decode()) if body else None


def mark(event: StringValue) -> tuple[str, int]:
    return event.value[0], int(event.value[1:])


async def test_a_listener_hears_what_is_news_once_and_in_order() -> None:
    source = Source("CONTROL", "any.>", event_of, mark, of_one_world)
    feed = Feed(cast("Bus", None), source, 100)
    heard: list[str] = []
    feed.listen(lambda event: heard.append(event.value), heard.clear)
    for sequence, body in enumerate((b"a1", b"b1", b"", b"a2", b"a1", b"b1", b"b2"), start=1):
        await feed.add(sequence, body)
    assert heard == ["a1", "b1", "a2", "b2"]
    assert [event.value for _, event in feed.since("w1", 0)[0]] == heard


class Worlds:
    """Where the worlds of events come from; away as often as it is told to be."""

    def __init__(self) -> None:
        self.away = 0

    async def of(self, event: StringValue) -> tuple[str, ...]:
        if self.away:
            self.away -= 1
            raise Unavailable("E_DATABASE_UNAVAILABLE", "not now")
        return ("w1",)


async def test_a_feed_goes_on_where_it_stood_and_says_what_it_cannot(nats_server: NatsServer) -> None:
    """An outage of the store skips no event; a stream that has no more where the feed stood is told as a gap."""
    worlds, heard, gaps = Worlds(), [], []
    async with connected(nats_server.url, service="t") as bus:
        source = Source("CONTROL", "qmtl.control.policy_updated.feed", event_of, mark, worlds.of)
        feed = Feed(bus, source, 100)
        feed.listen(lambda event: heard.append(event.value), lambda: gaps.append(len(heard)))
        running = asyncio.create_task(feed.run())

        async def publish(*names: str) -> None:
            for name in names:
                await bus.publish("qmtl.control.policy_updated.feed", name.encode(), msg_id=f"{id(feed)}-{name}")

        await eventually(lambda: bool(gaps))
        await publish("a1")
        await eventually(lambda: heard == ["a1"])
        begun = feed.floor
        worlds.away = 3
        await publish("a2", "b1", "a3")
        await eventually(lambda: heard == ["a1", "a2", "b1", "a3"])
        assert [event.value for _, event in feed.since("w1", begun)[0]] == heard
        assert (feed.floor, gaps, worlds.away) == (begun, [0], 0)
        await bus.link.js.delete_stream("CONTROL")
        await bus.ensure_streams()
        await eventually(lambda: gaps == [0, 4])
        await publish("a4")
        await eventually(lambda: heard[4:] == ["a4"])
        assert feed.since("w1", feed.floor)[0][-1][1].value == "a4"
        await end(running)
