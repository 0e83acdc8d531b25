"""Idempotent calls repeated until they are answered or an outage has lasted too long."""

from __future__ import annotations

import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.clock import Clock
from qmtl.core.errors import DeadlineExceeded, Exhausted, QmtlError, Unavailable, refused
from qmtl.sdk.mesh.client import Client

_PAUSE_FIRST_S, _PAUSE_MAX_S = 0.1, 2.0
PAGE_SIZE = 1000

T = TypeVar("T")
log = logging.getLogger("qmtl.sdk.mesh")


class PagedReply(Protocol):
    """One page of a listing."""

    @property
    def page(self) -> commonpb.PageInfo: ...


P = TypeVar("P", bound=PagedReply)


class OutageLimit:
    """Counts how long nothing has answered; raises the last error once that exceeds the limit."""

    def __init__(self, limit_s: float, clock: Clock) -> None:
        if limit_s <= 0.0:
            raise refused("E_OUTAGE_LIMIT", "outage_s_max", limit_s, "more than 0")
        self.limit_s = limit_s
        self._clock = clock
        self._since: float | None = None
        self._pause_s = _PAUSE_FIRST_S
        self.retries = 0

    def answered(self) -> None:
        """Something came: start counting anew."""
        self._since, self._pause_s = None, _PAUSE_FIRST_S

    async def failed(self, error: QmtlError, what: str) -> None:
        """Wait before the next attempt. Raises what waiting does not help, and the last error of too long an outage."""
        if not isinstance(error, Unavailable | DeadlineExceeded | Exhausted):
            raise error
        now = self._clock.monotonic()
        self._since = now if self._since is None else self._since
        if now - self._since > self.limit_s:
            error.add_note(f"{what}: no answer for {self.limit_s:g} s")
            raise error
        self.retries += 1
        log.warning("%s: %s; trying again", what, error)
        await self._clock.sleep(max(error.retry_after_s or 0.0, self._pause_s * random.uniform(0.5, 1.0)))
        self._pause_s = min(2.0 * self._pause_s, _PAUSE_MAX_S)


@dataclass(frozen=True, slots=True)
class RetryingClient:
    """A client whose calls outlive restarts. One for each thing that goes on by itself, counting its own outages."""

    client: Client
    outage: OutageLimit
    clock: Clock

    @staticmethod
    def open(client: Client, outage_s_max: float, clock: Clock) -> RetryingClient:
        return RetryingClient(client, OutageLimit(outage_s_max, clock), clock)

    def separate(self) -> RetryingClient:
        """Another client of the same limit, counting for itself."""
        return RetryingClient.open(self.client, self.outage.limit_s, self.clock)

    async def ask(self, call: Callable[[], Awaitable[T]], what: str) -> T:
        """Repeat an idempotent call until it answers. Raises what is no outage, and an outage that lasts too long."""
        while True:
            try:
                reply = await call()
            except QmtlError as error:
                await self.outage.failed(error, what)
            else:
                self.outage.answered()
                return reply

    async def pages(self, call: Callable[[commonpb.PageRequest], Awaitable[P]], what: str) -> AsyncIterator[P]:
        """Every page of a listing, in order; `call` asks for one of them."""
        page = commonpb.PageRequest(page_size=PAGE_SIZE)
        while True:
            reply = await self.ask(partial(call, page), what)
            yield reply
            if not reply.page.next_page_token:
                return
            page = commonpb.PageRequest(page_size=PAGE_SIZE, page_token=reply.page.next_page_token)
