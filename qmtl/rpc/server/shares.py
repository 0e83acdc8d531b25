"""Who has how much of a server: calls, streams and bytes of requests, by identity, by connection and in all.

Counted once the caller is known and before anything of the body is taken. Reserved methods have places of their own, so
a server that is full of other calls still cancels, narrows and renews leases.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Final, TypeVar

from qmtl.core.errors import Exhausted
from qmtl.core.roles import Role
from qmtl.rpc.auth.call import Call
from qmtl.rpc.rules.methods import MethodRule
from qmtl.rpc.server.inbound import Limits

NO_ROLE_PART: Final = 8  # what an identity without a role has of a share: one part in so many
RESERVE: Final = "reserve"
LARGE_BYTES: Final = 64 * 1024  # what a method takes whose contract says no more
LARGE_AT_ONCE: Final = 2
Key = TypeVar("Key")


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose share a call takes from: a user's, with the connection it came on, or a service's own, which has none."""

    subject: str
    part: int
    peer: str


def caller_of(call: Call) -> Caller:
    """A user behind a service is counted as the user; the connection is then the service's, and is not counted."""
    if call.identity is None:
        return Caller("", 1, "")
    part = NO_ROLE_PART if call.identity.role is Role.NONE else 1
    return Caller(call.identity.subject, part, call.peer if call.service is None else "")


class Shares:
    """The open calls and bytes of one server."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._open: Counter[str] = Counter()
        self._of: Counter[tuple[str, str]] = Counter()
        self._bytes = 0
        self._totals = {"call": limits.calls_max, "stream": limits.streams_max, RESERVE: limits.reserve_max}
        self._each = {
            "call": limits.identity_calls_max,
            "stream": limits.identity_streams_max,
            RESERVE: limits.identity_reserve_max,
        }

    @property
    def body_bytes(self) -> int:
        """Bytes of requests that are read or served now."""
        return self._bytes

    @contextmanager
    def place(self, caller: Caller, rule: MethodRule, kind: str) -> Iterator[None]:
        """A place for one call. Raises Exhausted (E_OVERLOADED, E_SHARE_EXCEEDED)."""
        pool = RESERVE if rule.reserved else kind
        own = (caller.subject, pool)
        if caller.subject and self._of[own] >= (most := max(1, self._each[pool] // caller.part)):
            raise self._share(f"{caller.subject} has {most} {_named(pool)} open", pool, most)
        if caller.subject and self._open[pool] >= self._totals[pool]:
            raise Exhausted(
                "E_OVERLOADED",
                f"{self._totals[pool]} concurrent {_named(pool)} are open",
                hint="back off and try again",
                retry_after_s=self._limits.retry_after_s,
            )
        _add(self._open, pool, 1)
        _add(self._of, own, 1)
        try:
            yield
        finally:
            _add(self._of, own, -1)
            _add(self._open, pool, -1)

    @contextmanager
    def body(self, caller: Caller, size: int) -> Iterator[Body]:
        """Room for a request of `size` bytes. Raises Exhausted (E_OVERLOADED, E_SHARE_EXCEEDED)."""
        body = Body(self, caller)
        body.resize(size)
        try:
            yield body
        finally:
            body.resize(0)

    def take(self, caller: Caller, size: int) -> None:
        """Count bytes; negative ones are given back. Raises Exhausted (E_OVERLOADED, E_SHARE_EXCEEDED)."""
        keys, limits = ((caller.subject, "bytes"), (caller.peer, "connection")), self._limits
        bounds = (limits.identity_body_bytes_max // caller.part, limits.connection_body_bytes_max)
        if size > 0 and caller.subject:
            for key, most in zip(keys, bounds, strict=True):
                if key[0] and self._of[key] + size > most:
                    raise self._share(f"{key[0]} has {self._of[key]} bytes of requests open", key[1], most)
            if self._bytes + size > limits.body_bytes_max:
                raise Exhausted(
                    "E_OVERLOADED",
                    f"{self._bytes} bytes of requests are open",
                    hint="back off and try again",
                    retry_after_s=limits.retry_after_s,
                )
        self._bytes += size
        for key in keys:
            _add(self._of, key, size)

    def _share(self, message: str, share: str, most: int) -> Exhausted:
        return Exhausted(
            "E_SHARE_EXCEEDED",
            f"{message}, want at most {most}",
            hint="end some of them",
            retry_after_s=self._limits.retry_after_s,
            metadata={"share": share, "limit": str(most)},
        )


class Turns:
    """Large messages of one identity are decoded and served a few at a time: what waits is held as it came.

    Decoded a message takes some ten times its bytes. Nobody waits for anybody else's.
    """

    def __init__(self) -> None:
        self._of: dict[str, asyncio.Semaphore] = {}
        self._asking: Counter[str] = Counter()

    @property
    def waited_for(self) -> int:
        """How many identities have large messages here."""
        return len(self._of)

    @asynccontextmanager
    async def turn(self, caller: Caller, size: int) -> AsyncIterator[None]:
        """A turn for a message of `size` bytes; a small one, and one of a service itself, needs none."""
        if size <= LARGE_BYTES or not caller.subject:
            yield
            return
        subject = caller.subject
        turns = self._of.setdefault(subject, asyncio.Semaphore(LARGE_AT_ONCE))
        _add(self._asking, subject, 1)
        try:
            async with turns:
                yield
        finally:
            _add(self._asking, subject, -1)
            if subject not in self._asking:
                del self._of[subject]


class Body:
    """The bytes one call holds."""

    def __init__(self, shares: Shares, caller: Caller) -> None:
        self._shares = shares
        self._caller = caller
        self._size = 0

    def resize(self, size: int) -> None:
        """Hold this many bytes from now on. Raises Exhausted (E_OVERLOADED, E_SHARE_EXCEEDED) and holds as before."""
        self._shares.take(self._caller, size - self._size)
        self._size = size


def _add(counter: Counter[Key], key: Key, by: int) -> None:
    """What is back at nothing is forgotten: there are as many identities as there are tokens."""
    counter[key] += by
    if not counter[key]:
        del counter[key]


def _named(pool: str) -> str:
    return "reserved calls" if pool == RESERVE else f"{pool}s"
