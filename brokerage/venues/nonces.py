"""Nonces of an exchange's key that only grow, over restarts and from one process to the next that drives the account.

They are microseconds of the clock, but never below what was given out before: blocks are taken in the store of the
books, under the lease. Who has lost it has only numbers below those of its successor: the exchange refuses them.
"""

from __future__ import annotations

import sqlalchemy as sa
from blake3 import blake3
from sqlalchemy import Connection

from brokerage import schema as t
from brokerage.venues.lease import VenueLease
from qmtl.core.clock import Clock
from qmtl.core.instants import to_ns
from qmtl.sql.database import Database

BLOCK = 1_000
US_NS = 1_000
KEY_BYTES = 16

_ROW = t.venue_nonces.c


class KeyNonces:
    """The nonces of one API key, while `lease` is held. The store knows the key by a digest only."""

    def __init__(self, db: Database, api_key: str, lease: VenueLease, clock: Clock) -> None:
        self._db = db
        self._key = blake3(api_key.encode()).digest()[:KEY_BYTES].hex()
        self._lease = lease
        self._clock = clock
        self._last = self._ceiling = self._epoch = 0

    async def reserve(self) -> None:
        """See to it that there is a next one. Raises Unavailable (E_VENUE_UNREACHABLE): the lease is lost."""
        if self._last < self._ceiling and self._epoch == self._lease.epoch:
            return
        epoch = self._lease.epoch  # of one before, what is left is below what others have taken since
        now_us = to_ns(self._clock.now()) // US_NS
        self._last, self._ceiling = await self._db.write(lambda conn: self._take(conn, now_us))
        self._epoch = epoch

    def next(self) -> int:
        """The next one; `reserve` comes first."""
        if self._last >= self._ceiling:
            raise AssertionError("no nonce is reserved")
        self._last += 1
        return self._last

    def _take(self, conn: Connection, now_us: int) -> tuple[int, int]:
        """A block above all that were taken."""
        self._lease.require(conn)
        mine = _ROW.key == self._key
        taken = conn.execute(sa.select(_ROW.ceiling).where(mine)).scalar_one_or_none()
        first = max(taken or 0, now_us)
        ceiling = first + BLOCK
        if taken is None:
            conn.execute(sa.insert(t.venue_nonces).values(key=self._key, ceiling=ceiling))
        else:
            conn.execute(sa.update(t.venue_nonces).where(mine).values(ceiling=ceiling))
        return first, ceiling
