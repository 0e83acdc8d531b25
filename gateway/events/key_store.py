"""Stream keys in the database that all gateways share, so that a token made by one of them holds at every other.

A new key is known to all a while before it signs; its predecessors verify until every token they signed has ended.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog
from joserfc.jwk import OKPKey
from sqlalchemy import Connection

from gateway.events.tokens import StreamKey, StreamKeys
from gateway.submissions.tables import STREAM_KEYS
from qmtl.core.clock import Clock
from qmtl.core.errors import QmtlError
from qmtl.rpc.auth.keys import new_key
from qmtl.sql.database import Database
from qmtl.sql.instants import instant, micros

LOOK_S = 10.0
AHEAD = timedelta(seconds=60)  # what a new key is known before it signs: several looks of every gateway
KEPT = 2
log = structlog.stdlib.get_logger("qmtl.gateway.events")


@dataclass(frozen=True, slots=True)
class StoredStreamKeys:
    """The keys in the store, and this gateway's copy of them."""

    db: Database
    clock: Clock
    keys: StreamKeys

    @classmethod
    async def load(cls, db: Database, clock: Clock) -> StoredStreamKeys:
        """The keys of the mesh; the first gateway of all makes the first one."""
        now = clock.now()
        return cls(db, clock, StreamKeys(clock, await db.write(lambda conn: _loaded(conn, now))))

    async def look(self) -> None:
        """Learn what other gateways made."""
        self.keys.take(await self.db.read(_read))

    async def rotate(self, older_than: timedelta) -> bool:
        """Make a new key unless the newest is younger; one of several gateways does it."""
        now = self.clock.now()
        made = await self.db.write(lambda conn: _rotated(conn, now, older_than))
        await self.look()
        return made

    async def run(self, older_than: timedelta) -> None:
        """Look and rotate for ever; a store that is away leaves the keys as they are known."""
        while True:
            try:
                if await self.rotate(older_than):
                    log.info("stream_key_rotated")
            except QmtlError as error:
                log.warning("stream_keys_not_read", reason=error.reason, error=error.message)
            await self.clock.sleep(LOOK_S)


def _read(conn: Connection) -> list[StreamKey]:
    rows = conn.execute(sa.select(STREAM_KEYS)).mappings()
    return [
        StreamKey(row["generation"], OKPKey.import_key(json.loads(row["jwk"])), instant(row["signs_from_us"]))
        for row in rows
    ]


def _loaded(conn: Connection, now: datetime) -> list[StreamKey]:
    _alone(conn)
    if not _read(conn):
        _insert(conn, 1, now)
    return _read(conn)


def _rotated(conn: Connection, now: datetime, older_than: timedelta) -> bool:
    newest = max(_read(conn), key=lambda one: one.generation)
    if now - newest.signs_from < older_than:
        return False
    _alone(conn)
    if max(one.generation for one in _read(conn)) != newest.generation:
        return False
    _insert(conn, newest.generation + 1, now + AHEAD)
    conn.execute(sa.delete(STREAM_KEYS).where(STREAM_KEYS.c.generation <= newest.generation + 1 - KEPT))
    return True


def _alone(conn: Connection) -> None:
    """One gateway at a time; SQLite's write transactions are so by themselves."""
    if conn.dialect.name == "postgresql":
        conn.execute(sa.text("LOCK TABLE stream_keys IN SHARE ROW EXCLUSIVE MODE"))


def _insert(conn: Connection, generation: int, signs_from: datetime) -> None:
    jwk = json.dumps(new_key().as_dict(private=True), sort_keys=True)
    conn.execute(sa.insert(STREAM_KEYS).values(generation=generation, jwk=jwk, signs_from_us=micros(signs_from)))
