"""Subscriptions on a real broker: at least once, per-key order, redelivery schedule, dead letters, bounds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from itertools import pairwise

import pytest

from controlbus.bus import Bus, connected
from controlbus.events.dead_letters import letters, replay
from controlbus.events.revisions import Current
from controlbus.events.subscription import ATTEMPTS_MAX, Delivery, Subscription, redelivery_delay_s
from controlbus.jetstream.ordered_reader import Start
from controlbus.jetstream.subjects import control_subject
from qmtl.core.errors import InvalidRequest, NotFound
from tests.controlbus.states import publish, unique
from tests.support.nats import NatsServer
from tests.support.waiting import eventually

KIND = ["policy_updated"]


@pytest.fixture
async def bus(nats_url: str) -> AsyncIterator[Bus]:
    async with connected(nats_url, service="t") as ready:
        yield ready


async def take(deliveries: Subscription, count: int) -> list[Delivery]:
    async with asyncio.timeout(15):
        return [await anext(deliveries) for _ in range(count)]


async def nothing_more(deliveries: Subscription, within_s: float = 0.3) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(within_s):
            await anext(deliveries)


async def test_new_subscribers_hear_what_comes_after(bus: Bus) -> None:
    key = unique("w")
    await publish(bus, key, 1)
    async with bus.subscribe(KIND, keys=[key]) as deliveries:
        event = await publish(bus, key, 2)
        (delivery,) = await take(deliveries, 1)
        assert delivery.event == event
        assert delivery.attempt == 1
        await delivery.ack()
        await nothing_more(deliveries)


async def test_a_durable_goes_on_where_its_workers_stopped(bus: Bus) -> None:
    key, durable = unique("w"), unique("d")
    async with bus.subscribe(KIND, keys=[key], durable=durable) as deliveries:
        for revision in (1, 2, 3):
            await publish(bus, key, revision)
        (first,) = await take(deliveries, 1)
        await first.ack()
        (second,) = await take(deliveries, 1)
        await second.fail("stopping")
    await publish(bus, key, 4)
    async with bus.subscribe(KIND, keys=[key], durable=durable) as deliveries:
        seen = set()
        async with asyncio.timeout(40):
            while 4 not in seen:
                delivery = await anext(deliveries)
                seen.add(delivery.event.revision)
                await delivery.ack()
        assert 1 not in seen


async def test_one_message_of_a_key_is_in_process_at_a_time(bus: Bus) -> None:
    one, other = unique("w"), unique("w")
    async with bus.subscribe(KIND, keys=[one, other]) as deliveries:
        for revision in (1, 2):
            await publish(bus, one, revision)
        await publish(bus, other, 1)
        held, free = await take(deliveries, 2)
        assert (held.event.key, free.event.key) == (one, other)
        await free.ack()
        await nothing_more(deliveries)
        await held.ack()
        (after,) = await take(deliveries, 1)
        assert (after.event.key, after.event.revision) == (one, 2)
        await after.ack()


async def test_doubled_and_older_revisions_are_dropped(bus: Bus) -> None:
    key = unique("w")
    async with bus.subscribe(KIND, keys=[key]) as deliveries:
        for revision in (1, 2, 2, 1, 3):
            await publish(bus, key, revision)
        revisions = []
        for _ in range(3):
            (delivery,) = await take(deliveries, 1)
            revisions.append(delivery.event.revision)
            await delivery.ack()
        assert revisions == [1, 2, 3]
        await publish(bus, key, 3)
        await nothing_more(deliveries)
        assert deliveries.in_hand == 0


def test_the_redelivery_schedule_doubles_from_half_a_second() -> None:
    assert [redelivery_delay_s(attempt) for attempt in range(1, ATTEMPTS_MAX)] == [0.5, 1.0, 2.0, 4.0]


async def test_the_fifth_failure_is_a_dead_letter_that_can_be_replayed(bus: Bus) -> None:
    key, durable = unique("w"), unique("d")
    loop = asyncio.get_running_loop()
    async with bus.subscribe(KIND, keys=[key], durable=durable) as deliveries:
        event = await publish(bus, key, 1)
        times = []
        for attempt in range(1, ATTEMPTS_MAX + 1):
            (delivery,) = await take(deliveries, 1)
            assert delivery.attempt == attempt
            times.append(loop.time())
            await delivery.fail(f"broken\n{attempt}")
        gaps = [later - earlier for earlier, later in pairwise(times)]
        for gap, wanted in zip(gaps, [0.5, 1.0, 2.0, 4.0], strict=True):
            assert wanted <= gap + 0.01 < wanted + 1.0
        await nothing_more(deliveries)
        found, _ = await letters(bus.link, before=None, limit=100, bytes_max=1 << 20)
        letter = next(each for each in found if each.consumer == durable)
        assert (letter.message, letter.deliveries, letter.original_stream) == ("broken 5", 5, "CONTROL")
        assert letter.original_subject == control_subject("policy_updated", key)
        assert letter.body == event.SerializeToString()
        assert letter.original_message_id == event.event_id
        await replay(bus.link, letter.dead_letter_sequence)
        with pytest.raises(NotFound):
            await replay(bus.link, letter.dead_letter_sequence)


async def test_bytes_that_are_no_event_are_dead_letters_at_once(bus: Bus) -> None:
    key, durable = unique("w"), unique("d")
    subject = control_subject("policy_updated", key)
    async with bus.subscribe(KIND, keys=[key], durable=durable) as deliveries:
        await bus.publish(subject, b"\xff poison", msg_id=unique("m"))
        await publish(bus, key, 1)
        (delivery,) = await take(deliveries, 1)
        assert delivery.event.revision == 1
        await delivery.ack()

        async def buried() -> bool:
            found, _ = await letters(bus.link, before=None, limit=100, bytes_max=1 << 20)
            return any(letter.consumer == durable and letter.body == b"\xff poison" for letter in found)

        await eventually(buried)


async def test_a_slow_consumer_holds_a_bounded_number(bus: Bus) -> None:
    keys = [unique("w") for _ in range(40)]
    async with bus.subscribe(KIND, keys=keys, in_hand_max=8) as deliveries:
        for key in keys:
            await publish(bus, key, 1)
        first = await take(deliveries, 8)
        await nothing_more(deliveries)
        assert deliveries.in_hand == 8
        for delivery in first:
            await delivery.ack()
        rest = 0
        async with asyncio.timeout(15):
            while rest < 32:
                await (await anext(deliveries)).ack()
                rest += 1
        assert deliveries.in_hand == 0


async def test_whatever_is_dropped_gives_its_place_back_once(bus: Bus) -> None:
    key, others = unique("w"), [unique("w") for _ in range(3)]
    subject = control_subject("policy_updated", key)
    async with bus.subscribe(KIND, keys=[key, *others], in_hand_max=2) as deliveries:
        for _ in range(3):
            await bus.publish(subject, b"\xff poison", msg_id=unique("m"))
        await publish(bus, key, 1)
        await (await take(deliveries, 1))[0].ack()
        for revision in (1, 1, 1, 3, 2):
            await publish(bus, key, revision)
        (newest,) = await take(deliveries, 1)
        await eventually(lambda: deliveries.in_hand == 2)
        await newest.ack()
        assert deliveries.in_hand == 0
        for other in others:
            await publish(bus, other, 1)
        first, second = await take(deliveries, 2)
        await nothing_more(deliveries)
        assert deliveries.in_hand == 2
        await first.ack()
        (third,) = await take(deliveries, 1)
        assert deliveries.in_hand == 2
        await second.ack()
        await third.ack()


async def test_workers_of_one_durable_share_its_messages(bus: Bus) -> None:
    keys, durable = [unique("w") for _ in range(30)], unique("d")
    seen: list[str] = []

    async def work(deliveries: Subscription) -> None:
        async for delivery in deliveries:
            seen.append(delivery.event.key)
            await delivery.ack()

    async with (
        bus.subscribe(KIND, keys=keys, durable=durable, in_hand_max=2) as one,
        bus.subscribe(KIND, keys=keys, durable=durable, in_hand_max=2) as other,
    ):
        workers = [asyncio.create_task(work(deliveries)) for deliveries in (one, other)]
        for key in keys:
            await publish(bus, key, 1)
        await eventually(lambda: len(seen) >= 30)
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
    assert sorted(seen) == sorted(keys)


async def test_a_killed_broker_loses_no_event_of_a_subscription(nats_server: NatsServer) -> None:
    async with (
        connected(nats_server.url, service="t") as bus,
        bus.subscribe(KIND) as ephemeral,
        bus.subscribe(KIND, durable="d") as durable,
    ):
        nats_server.kill()
        nats_server.start()
        await publish(bus, "a", 1)
        for deliveries in (ephemeral, durable):
            (delivery,) = await take(deliveries, 1)
            nats_server.kill()
            await delivery.ack()
            nats_server.start()
        await publish(bus, "a", 2)
        for deliveries in (ephemeral, durable):
            (delivery,) = await take(deliveries, 1)
            assert delivery.event.revision == 2
            await delivery.ack()


async def test_an_answer_is_given_once(bus: Bus) -> None:
    key = unique("w")
    async with bus.subscribe(KIND, keys=[key]) as deliveries:
        await publish(bus, key, 1)
        (delivery,) = await take(deliveries, 1)
        await delivery.ack()
        with pytest.raises(ValueError, match="answered already"):
            await delivery.fail("late")


async def test_start_after_a_sequence(bus: Bus) -> None:
    key = unique("w")
    for revision in (1, 2, 3):
        await publish(bus, key, revision)
    async with bus.subscribe(KIND, keys=[key], start=Start.ALL) as deliveries:
        (first,) = await take(deliveries, 1)
        assert first.event.revision == 1
    async with bus.subscribe(KIND, keys=[key], start=Start(after=first.sequence)) as deliveries:
        (delivery,) = await take(deliveries, 1)
        assert delivery.event.revision == 2


async def test_unknown_types_and_too_many_keys_are_refused(bus: Bus) -> None:
    with pytest.raises(InvalidRequest, match="E_BUS_TYPE"):
        bus.subscribe(["nonsense"])
    with pytest.raises(InvalidRequest, match="E_BUS_FILTER"):
        bus.subscribe(KIND, keys=[str(i) for i in range(201)])


async def test_follow_is_closed_with_its_context(bus: Bus) -> None:
    async def empty(kind: str, key: str | None) -> list[Current]:
        return []

    key = unique("w")
    follower = bus.follower(KIND, empty, keys=[key])
    async with aclosing(follower.states()) as states:
        first = asyncio.create_task(anext(states))
        await asyncio.wait_for(follower.synced.wait(), 10)
        await publish(bus, key, 1)
        assert (await first).revision == 1
