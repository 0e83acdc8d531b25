"""One process drives an account at a venue: a lease with an epoch, in the store of the books.

The holder renews it, and signs a request only while more of it is left than a request may take to be accepted and a
second; requests are signed with the time of that check, so one that was held up on its way is too old for the venue.
Who wants it watches the row: unchanged for the time to live, the venue's window and a second, it may be taken, and by
then nothing of the holder before can be accepted. Nobody compares clocks of two machines.
"""

from __future__ import annotations

from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy import Connection

from brokerage import schema as t
from brokerage.domain.market.mark import SECOND_NS
from brokerage.domain.orders.venue_traits import VenueTraits
from brokerage.venues.plugs import MARGIN_S
from qmtl.core.clock import Clock
from qmtl.core.errors import Unavailable
from qmtl.core.instants import to_ns
from qmtl.sql.database import Database

TTL_S = 10.0
RENEWALS = 3  # before too little is left
MS_NS = 1_000_000

_LEASE = t.venue_leases.c


class VenueLease:
    """One contender for an account at a venue with these traits."""

    def __init__(self, db: Database, account: str, traits: VenueTraits, clock: Clock, *, ttl_s: float = TTL_S) -> None:
        self._db = db
        self._account = account
        self._clock = clock
        self._ttl_s = ttl_s
        self.window_s = traits.acceptance_window_ns / SECOND_NS + MARGIN_S
        self.renew_s = (ttl_s - self.window_s) / RENEWALS  # so that there is always enough left to sign with
        if self.renew_s <= 0:
            raise ValueError(f"ttl_s is {ttl_s}, want more than the venue's window and a second, {self.window_s}")
        self._me = uuid4().hex
        self._until = 0.0
        self._seen: tuple[int, int] | None = None  # epoch and renewals of somebody else's lease
        self._seen_at = 0.0
        self.epoch = 0

    @property
    def left_s(self) -> float:
        """How long it is held for certain."""
        return max(self._until - self._clock.monotonic(), 0.0)

    async def acquire(self) -> bool:
        """Try once to take it; whether it is held now."""
        began = self._clock.monotonic()
        present = await self._db.read(self._read)
        if present is not None and present[2] not in ("", self._me) and not self._abandoned(present[:2], began):
            return False
        epoch = await self._db.write(lambda conn: self._take(conn, None if present is None else present[:2]))
        if epoch is None:
            return False
        self.epoch, self._until = epoch, began + self._ttl_s
        return True

    async def renew(self) -> bool:
        """Extend it; False once it is lost."""
        began = self._clock.monotonic()
        kept = await self._db.write(self._extend)
        self._until = began + self._ttl_s if kept else 0.0
        return kept

    async def release(self) -> None:
        """Give it up at once. Nothing may be on its way any more."""
        self._until = 0.0
        await self._db.write(self._give_up)

    def signing_ms(self) -> int:
        """The time to sign a request with, now. Raises Unavailable (E_VENUE_UNREACHABLE) where too little is left."""
        now_ms = to_ns(self._clock.now()) // MS_NS
        if self.left_s <= self.window_s:
            raise Unavailable(
                "E_VENUE_UNREACHABLE", f"nothing was sent: another process may drive account {self._account}"
            )
        return now_ms

    def require(self, conn: Connection) -> None:
        """Raises Unavailable (E_VENUE_UNREACHABLE) where the store says that it is not held; locks its row."""
        mine = sa.and_(_LEASE.account == self._account, _LEASE.holder == self._me, _LEASE.epoch == self.epoch)
        if conn.execute(sa.select(_LEASE.epoch).where(mine).with_for_update()).one_or_none() is None:
            raise Unavailable("E_VENUE_UNREACHABLE", f"nothing was sent: account {self._account} is driven elsewhere")

    def _abandoned(self, present: tuple[int, int], now: float) -> bool:
        """Whether somebody else's lease was seen unchanged for so long that nothing of it can be on its way.

        `now` is from before it was read this time; what is seen first counts from after it was read.
        """
        if self._seen != present:
            self._seen, self._seen_at = present, self._clock.monotonic()
        return now - self._seen_at >= self._ttl_s + self.window_s

    def _read(self, conn: Connection) -> tuple[int, int, str] | None:
        row = conn.execute(sa.select(t.venue_leases).where(_LEASE.account == self._account)).one_or_none()
        return None if row is None else (row.epoch, row.renewals, row.holder)

    def _take(self, conn: Connection, before: tuple[int, int] | None) -> int | None:
        """The new epoch; None where somebody else was faster."""
        if before is None:
            if self._read(conn) is not None:
                return None
            values = {"account": self._account, "holder": self._me, "epoch": 1, "renewals": 0}
            conn.execute(sa.insert(t.venue_leases).values(values))
            return 1
        epoch, renewals = before
        same = sa.and_(_LEASE.account == self._account, _LEASE.epoch == epoch, _LEASE.renewals == renewals)
        taken = sa.update(t.venue_leases).where(same).values(holder=self._me, epoch=epoch + 1, renewals=0)
        return epoch + 1 if conn.execute(taken).rowcount else None

    def _extend(self, conn: Connection) -> bool:
        mine = sa.and_(_LEASE.account == self._account, _LEASE.holder == self._me, _LEASE.epoch == self.epoch)
        longer = sa.update(t.venue_leases).where(mine).values(renewals=_LEASE.renewals + 1)
        return conn.execute(longer).rowcount == 1

    def _give_up(self, conn: Connection) -> None:
        mine = sa.and_(_LEASE.account == self._account, _LEASE.holder == self._me, _LEASE.epoch == self.epoch)
        conn.execute(sa.update(t.venue_leases).where(mine).values(holder=""))
