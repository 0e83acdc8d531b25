"""What clients listen to. A stream holds what it has not sent yet; faults drop, repeat and reorder on the way in."""

from __future__ import annotations

import asyncio
from typing import Generic, TypeVar

from tests.exchange.core.faults import Delivery, Faults

E = TypeVar("E")


class Stream(Generic[E]):
    """One client's stream of one account, or of one kind of market data."""

    def __init__(self, account: str) -> None:
        self.account = account
        self.key = ""  # what gave the right to listen, where a dialect has one
        self._events: asyncio.Queue[E | None] = asyncio.Queue()
        self._late: list[E] = []

    def put(self, event: E, delivery: Delivery) -> None:
        """Take an event in as the script says."""
        if delivery is Delivery.LATE:
            self._late.append(event)
            return
        times = {Delivery.ONCE: 1, Delivery.TWICE: 2, Delivery.NEVER: 0}[delivery]
        for one in [*[event] * times, *self._late]:
            self._events.put_nowait(one)
        self._late.clear()

    def cut(self) -> None:
        """End the stream without a word."""
        self._events.put_nowait(None)

    async def next(self) -> E | None:
        """The next event; None once it is cut."""
        return await self._events.get()


class Streams(Generic[E]):
    """All streams."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._open: list[Stream[E]] = []
        self._opened = asyncio.Event()

    def open(self, account: str) -> Stream[E]:
        """Listen to an account from now on."""
        stream = Stream[E](account)
        self._open.append(stream)
        self._opened.set()
        return stream

    async def until_open(self, account: str) -> None:
        """Wait until somebody listens to an account."""
        while not self.of(account):
            self._opened.clear()
            await self._opened.wait()

    def close(self, stream: Stream[E]) -> None:
        """Listen no more."""
        if stream in self._open:
            self._open.remove(stream)

    def tell(self, account: str, event: E) -> None:
        """Something happened to an account."""
        listening = self.of(account)
        if listening:
            delivery = self._faults.event(account)
            for stream in listening:
                stream.put(event, delivery)

    def of(self, account: str) -> list[Stream[E]]:
        """Who listens to an account."""
        return [stream for stream in self._open if stream.account == account]

    def cut(self, account: str) -> None:
        """Break every connection that listens to an account."""
        for stream in self.of(account):
            stream.cut()
