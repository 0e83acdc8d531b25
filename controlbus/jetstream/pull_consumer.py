"""Messages of one pull consumer with a fixed bound in memory.

nats-py's fetch(n) holds the first message back until n arrive or the request expires, so requests are kept open here
instead: the broker may owe us at most `batch` messages, and more are asked for as they are taken.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from types import TracebackType

import nats.errors
import orjson
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from controlbus.jetstream.connection import Link

EXPIRES_S = 30
HEARTBEAT_S = 5
SILENCE_S = 2.5 * HEARTBEAT_S
UNANSWERED = ("404", "408")  # the request ended with messages still owed


class ConsumerGone(Exception):
    """The consumer, its leader or the connection is gone: create it again from the position reached."""


class Puller:
    """Use as an async context manager, then `await next()`; every failure is ConsumerGone."""

    def __init__(self, link: Link, stream: str, consumer: str, batch: int) -> None:
        self._link = link
        self._subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"
        self._batch = batch
        self._owed = 0
        self._arrived: asyncio.Queue[Msg | None] = asyncio.Queue()  # bounded by what we ask for; None: gone
        self._heard = time.monotonic()
        self._inbox = link.nc.new_inbox()
        self._gone = ""
        self._sub: Subscription | None = None
        self._watch: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Puller:
        generation = self._link.generation
        try:
            self._sub = await self._link.nc.subscribe(self._inbox, cb=self._on_message)
        except (nats.errors.Error, OSError) as error:
            raise ConsumerGone(str(error)) from None
        self._watch = asyncio.create_task(self._watch_link(generation))
        await self._ask()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        if self._watch is not None:
            self._watch.cancel()
        if self._sub is not None:
            with suppress(nats.errors.Error, OSError):
                await self._sub.unsubscribe()

    async def next(self) -> Msg:
        """The next message. Raises ConsumerGone; what arrived before that is still returned first."""
        while True:
            try:
                if self._arrived.empty():
                    async with asyncio.timeout(SILENCE_S):
                        message = await self._arrived.get()
                else:
                    message = self._arrived.get_nowait()
            except TimeoutError:
                if time.monotonic() - self._heard > SILENCE_S:
                    raise ConsumerGone("no heartbeat") from None
                continue
            if message is None:
                raise ConsumerGone(self._gone)
            await self._ask()
            return message

    async def _ask(self) -> None:
        """Keep the broker owing us between half a batch and a batch."""
        room = self._batch - self._owed - self._arrived.qsize()
        if self._gone or room < max(1, self._batch // 2):
            return
        request = {"batch": room, "expires": EXPIRES_S * 1_000_000_000, "idle_heartbeat": HEARTBEAT_S * 1_000_000_000}
        self._owed += room
        try:
            await self._link.nc.publish(self._subject, orjson.dumps(request), reply=self._inbox)
        except (nats.errors.Error, OSError) as error:
            self._end(str(error) or "not connected")

    async def _on_message(self, message: Msg) -> None:
        self._heard = time.monotonic()
        headers = message.headers or {}
        status = headers.get("Status")
        if status is None:
            self._owed -= 1
            self._arrived.put_nowait(message)
        elif status in UNANSWERED:
            self._owed = max(0, self._owed - int(headers.get("Nats-Pending-Messages", self._owed)))
            await self._ask()
        elif status != "100":
            self._end(f"{status} {headers.get('Description', '')}")

    async def _watch_link(self, generation: int) -> None:
        await self._link.wait_change(generation)
        self._end("connection lost")

    def _end(self, reason: str) -> None:
        if not self._gone:
            self._gone = reason
            self._arrived.put_nowait(None)
