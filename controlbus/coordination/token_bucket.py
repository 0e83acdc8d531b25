"""Token buckets on a NATS KV bucket: one limit for all processes that share an account of somebody else's API.

    limit = Limit("venue/{venue}/{account}", tokens=10, interval_s=1, burst=20, penalty_s=5)
    bucket = limit.bucket(bus, clock, venue="binance", account="main")
    await bucket.wait(timeout_s=30)                # then call the API
    await bucket.penalise(retry_after_s)           # after its 429: nobody calls it for a while

Taking is a compare-and-set, so of racing processes one has the token. Whatever is in doubt (a lost answer, a clock that
was set) costs tokens and never adds any. An instant is the wall clock of the host: hosts whose clocks differ may take
what the difference is worth more, once.
"""

from __future__ import annotations

import math
import random
import string
from collections.abc import Callable
from dataclasses import dataclass

import orjson

from controlbus.bus import Bus
from controlbus.jetstream.streams import LIMITS
from controlbus.jetstream.subjects import key_tokens
from qmtl.core.clock import Clock
from qmtl.core.errors import Conflict, Exhausted, InvalidRequest, Violation

SECOND_NS = 1_000_000_000
PENALTY_MAX_S = 3600.0
TRIES = 8
APART = 12  # the API's clock and ours, and an answer's way: a twelfth of an interval at most
KEEP_S = 60  # an entry outlives what it says by this much, for clocks that differ


@dataclass(frozen=True, slots=True)
class Fill:
    """A bucket: the instant at which it will be full again, and the end of a penalty (ns since the epoch)."""

    full_ns: int = 0
    shut_until_ns: int = 0


@dataclass(frozen=True, slots=True)
class Limit:
    """`tokens` per interval, `burst` at once after a pause. `key` names one bucket per value of its `{fields}`."""

    key: str
    tokens: int
    interval_s: float
    burst: int
    penalty_s: float = 1.0

    def __post_init__(self) -> None:
        wrong = [
            Violation(name, str(value), "above 0")
            for name, value in (("tokens", self.tokens), ("interval_s", self.interval_s), ("burst", self.burst))
            if value <= 0
        ]
        if not 0 <= self.penalty_s <= PENALTY_MAX_S:
            wrong.append(Violation("penalty_s", str(self.penalty_s), f"0 to {PENALTY_MAX_S:.0f}"))
        if wrong:
            raise InvalidRequest("E_BUS_LIMIT", str(wrong[0]), violations=wrong)

    @property
    def step_ns(self) -> int:
        """What one token costs; rounded up, so that the rate is never above the one asked for."""
        return max(1, math.ceil(self.interval_s * SECOND_NS / self.tokens))

    def bucket(self, bus: Bus, clock: Clock, **parts: str) -> TokenBucket:
        """The bucket of these values. Raises InvalidRequest (E_BUS_LIMIT) unless they are the fields of `key`."""
        fields = {name for _, name, _, _ in string.Formatter().parse(self.key) if name is not None}
        if fields != parts.keys():
            violation = Violation("key", ", ".join(sorted(parts)) or "nothing", ", ".join(sorted(fields)) or "nothing")
            raise InvalidRequest("E_BUS_LIMIT", str(violation), violations=[violation])
        encoded = {name: value.replace("%", "%25").replace("/", "%2F") for name, value in parts.items()}
        return TokenBucket(bus, clock, self, self.key.format(**encoded))


def take(limit: Limit, fill: Fill, now_ns: int, count: int, keep: int = 0) -> tuple[Fill, int]:
    """Pure: the bucket after taking `count`, and 0; or the bucket as it is and the ns until it is worth asking.

    `keep` tokens have to stay: a reserve for those who ask with less.
    """
    size_ns = limit.burst * limit.step_ns
    shut_ns = min(fill.shut_until_ns, now_ns + int(PENALTY_MAX_S * SECOND_NS))
    base_ns = max(now_ns, shut_ns)
    full_ns = min(max(fill.full_ns, now_ns), base_ns + size_ns)  # a clock that was set back costs one bucket at most
    wait_ns = max(shut_ns - now_ns, full_ns + (count + keep) * limit.step_ns - size_ns - now_ns, 0)
    return (fill, wait_ns) if wait_ns else (Fill(full_ns + count * limit.step_ns, fill.shut_until_ns), 0)


def penalised(limit: Limit, fill: Fill, now_ns: int, penalty_s: float) -> Fill:
    """Pure: shut for the penalty, then one token at once and the others at the plain rate."""
    until_ns = max(fill.shut_until_ns, now_ns + int(min(penalty_s, PENALTY_MAX_S) * SECOND_NS))
    return Fill(max(fill.full_ns, until_ns + (limit.burst - 1) * limit.step_ns), until_ns)


def adopted(limit: Limit, fill: Fill, now_ns: int, used: int) -> Fill:
    """Pure: the API says that `used` tokens of its running interval are gone; it lets `burst + tokens` through in each,
    which begin with the clock's. The bucket keeps no more than leaves room for what comes back in the interval's rest:
    what others used is taken, and what was taken here before is not taken again.
    """
    interval_ns = math.ceil(limit.interval_s * SECOND_NS)
    apart_ns = interval_ns // APART
    begun_ns = now_ns % interval_ns
    # near an interval's begin the count may be the one of the interval before, of which nothing comes any more
    rest_ns = 0 if begun_ns < apart_ns else min(interval_ns, interval_ns - begun_ns + apart_ns)
    gone = min(max(0, used + -(-rest_ns // limit.step_ns) - limit.tokens), limit.burst)
    return Fill(max(fill.full_ns, now_ns + gone * limit.step_ns), fill.shut_until_ns)


class TokenBucket:
    """Made by Limit.bucket; keeps nothing, so any number of them may share a key."""

    def __init__(self, bus: Bus, clock: Clock, limit: Limit, key: str) -> None:
        self._link = bus.link
        self._clock = clock
        self._limit = limit
        self._key = key
        self._subject = f"$KV.{LIMITS}.{key_tokens(key)}"

    async def take(self, count: int = 1, *, keep: int = 0) -> float:
        """Take tokens and leave `keep`: 0.0 when they are yours, else the seconds after which it is worth asking again.

        Raises InvalidRequest for more than `burst` holds, Unavailable: they may be gone, and are not yours.
        """
        if not (count > 0 and keep >= 0 and count + keep <= self._limit.burst):
            violation = Violation("count", f"{count} beside {keep} kept", f"1 to {self._limit.burst} in all")
            raise InvalidRequest("E_BUS_LIMIT", str(violation), violations=[violation])
        for _ in range(TRIES):
            fill, last = await self._read()
            now_ns = self._now_ns()
            after, wait_ns = take(self._limit, fill, now_ns, count, keep)
            if wait_ns:
                return wait_ns / SECOND_NS
            if await self._write(after, last, now_ns):
                return 0.0
        return random.uniform(0.5, 1.5) * self._limit.step_ns / SECOND_NS  # others took one at every try

    async def wait(self, count: int = 1, *, timeout_s: float, keep: int = 0) -> None:
        """Wait for tokens. Raises Exhausted (E_RATE_LIMITED) when they come too late, else as `take`."""
        until = self._clock.monotonic() + timeout_s
        while wait_s := await self.take(count, keep=keep):
            if self._clock.monotonic() + wait_s > until:
                raise Exhausted("E_RATE_LIMITED", f"no token of {self._key} in time", retry_after_s=wait_s)
            await self._clock.sleep(wait_s)

    async def penalise(self, retry_after_s: float | None = None) -> None:
        """The API said "too many": nobody takes a token for this long, by default the limit's penalty.

        Raises Unavailable, Conflict (E_BUS_SEQUENCE) when others kept writing.
        """
        penalty_s = self._limit.penalty_s if retry_after_s is None else retry_after_s
        await self._change(lambda fill, now_ns: penalised(self._limit, fill, now_ns, penalty_s))

    async def adopt(self, used: int) -> None:
        """The API's own count of what is used, from its answer's headers. Raises as `penalise`."""
        await self._change(lambda fill, now_ns: adopted(self._limit, fill, now_ns, used))

    async def _change(self, change: Callable[[Fill, int], Fill]) -> None:
        for _ in range(TRIES):
            fill, last = await self._read()
            now_ns = self._now_ns()
            changed = change(fill, now_ns)
            if changed == fill or await self._write(changed, last, now_ns):
                return
        raise Conflict("E_BUS_SEQUENCE", f"{self._key} changed at every try", retry_after_s=0.1)

    def _now_ns(self) -> int:
        return int(self._clock.now().timestamp() * 1_000_000) * 1000

    async def _read(self) -> tuple[Fill, int]:
        raw = await self._link.find(self._link.js.get_last_msg(f"KV_{LIMITS}", self._subject))
        if raw is None:
            return Fill(), 0
        value = orjson.loads(raw.data or b"{}")
        return Fill(value["full_ns"], value["shut_until_ns"]), raw.seq or 0

    async def _write(self, fill: Fill, last: int, now_ns: int) -> bool:
        ttl_s = max(0, max(fill.full_ns, fill.shut_until_ns) - now_ns) // SECOND_NS + KEEP_S
        headers = {"Nats-Expected-Last-Subject-Sequence": str(last), "Nats-TTL": str(ttl_s)}
        body = orjson.dumps({"full_ns": fill.full_ns, "shut_until_ns": fill.shut_until_ns})
        try:
            await self._link.publish(self._subject, body, headers)
        except Conflict:
            return False
        return True
