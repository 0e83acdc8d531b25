"""The feed: who listens to it hears what is news, once and in order."""

from __future__ import annotations

from typing import cast

from google.protobuf.wrappers_pb2 import StringValue

from controlbus.bus import Bus
from gateway.events.feed import Feed, Source


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
    feed.listen(lambda event: heard.append(event.value))
    for sequence, body in enumerate((b"a1", b"b1", b"", b"a2", b"a1", b"b1", b"b2"), start=1):
        await feed.add(sequence, body)
    assert heard == ["a1", "b1", "a2", "b2"]
    assert [event.value for _, event in feed.since("w1", 0)[0]] == heard
