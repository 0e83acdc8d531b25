"""SQL access for every service: writes that commit together, bounded reads, migrations, singleton locks.

    async with open_database(runtime) as db:
        world = await db.write(lambda conn: insert_world(conn, draft))   # returns after the commit
        rows = await db.read(lambda conn: conn.execute(select(worlds)).all())

`fn` runs on another thread with a sync SQLAlchemy Connection inside one transaction: do all SQL there, touch no
asyncio, and have no effect but through the connection (PostgreSQL may run it again, reads too). Raising
undoes only that fn. What a returned write survives: kill -9 always; power loss only with synchronous=FULL.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final, Protocol, TypeVar

from sqlalchemy import Connection, make_url

from qmtl.core.errors import InvalidRequest, Violation
from qmtl.sql.health import make_check_table, write_check
from qmtl.sql.jobs import Call
from qmtl.sql.locks import Held
from qmtl.sql.migrations import upgrade
from qmtl.sql.pages import BEFORE_USE_BYTES_MAX
from qmtl.sql.postgres import PostgresStore
from qmtl.sql.sqlite import SqliteStore
from qmtl.sql.transactions import raised_signals

T = TypeVar("T")
STORE: Final = "store"  # what an outage of it is called
Unsubscribe = Callable[[], None]


def signal(conn: Connection, name: str) -> None:
    """Inside a write: after its commit, call whoever listens to `name` (see Database.on_signal)."""
    raised_signals(conn).add(name)


class Database:
    """One store. SQLite: one writer thread with group commit and a few readers; PostgreSQL: a bounded pool."""

    def __init__(
        self,
        url: str,
        *,
        synchronous: str = "FULL",
        pending_max: int = 10_000,
        pool_size: int = 8,
        pages_before_use_max: int = BEFORE_USE_BYTES_MAX,
    ) -> None:
        """`pages_before_use_max`: an SQLite file of more bytes is read for damage beside its use, not before it."""
        parsed = make_url(url)
        self._listeners: dict[str, list[Call]] = {}
        self._store: SqliteStore | PostgresStore
        match parsed.get_backend_name():
            case "sqlite":
                self._store = SqliteStore(
                    parsed, synchronous, pending_max, pool_size, self._notify, pages_before_use_max
                )
            case "postgresql":
                self._store = PostgresStore(parsed, pending_max, pool_size, self._notify)
            case other:
                raise InvalidRequest(
                    "E_CONFIG",
                    f"database url has backend {other}",
                    violations=[Violation("database_url", other, "sqlite or postgresql")],
                )

    @property
    def dialect(self) -> str:
        """The name of the SQL dialect: sqlite or postgresql."""
        return self._store.dialect

    async def migrate(self, script_location: str) -> None:
        """Bring the schema to the newest revision under `<package:folder>/versions`.

        Idempotent, in one transaction, and safe when several processes start together: the second waits and finds
        nothing to do. Raises Unavailable if the database cannot be reached, DataLoss (E_DATABASE_CORRUPT) if its
        pages are damaged.
        """
        await self._store.in_thread(self._store.refuse_damage)

        def prepare(conn: Connection) -> None:
            upgrade(conn, script_location)
            make_check_table(conn)

        await self._store.exclusively(prepare)

    async def check(self) -> str:
        """Commit a row, as every write does: "" when the store takes it and no page was found damaged.

        Raises as `write` does.
        """
        await self.write(write_check)
        return self._store.damage()

    async def write(self, fn: Callable[[Connection], T]) -> T:
        """Run fn in a write transaction and return its value after the commit.

        Raises what fn raised (its work undone), Exhausted (E_DATABASE_BUSY) when too many writes wait, Unavailable when
        the database is locked for too long, full or gone. A cancelled caller's write may still be done.
        """
        return await self._store.submit_write(fn)

    async def read(self, fn: Callable[[Connection], T]) -> T:
        """Run fn in a read-only transaction that sees every write returned before. Raises as `write` does."""
        return await self._store.submit_read(fn)

    async def try_lock(self, name: str) -> Held | None:
        """Try to become the one process of this store that does the job `name`; None if another one is."""
        return await self._store.in_thread(lambda: self._store.try_lock(name))

    def on_signal(self, name: str, callback: Callable[[], None]) -> Unsubscribe:
        """Call `callback` on the present event loop after each commit of this process that signalled `name`."""
        entry = (asyncio.get_running_loop(), callback)
        listeners = self._listeners.setdefault(name, [])
        listeners.append(entry)
        return lambda: listeners.remove(entry)

    async def close(self) -> None:
        """Finish what was accepted and close every connection."""
        await asyncio.to_thread(self._store.close)

    def _notify(self, names: set[str]) -> list[Call]:
        return [call for name in names for call in tuple(self._listeners.get(name, ()))]


class StoreSettings(Protocol):
    """The settings of a store."""

    @property
    def database_url(self) -> str: ...

    @property
    def sqlite_synchronous(self) -> str: ...


class Host(Protocol):
    """The process of a service that a store is opened in."""

    @property
    def service(self) -> str: ...

    @property
    def settings(self) -> StoreSettings: ...

    async def patiently(self, name: str, call: Callable[[], Awaitable[T]]) -> T:
        """What a call gives once it can be made."""

    def watch(self, name: str, check: Callable[[], Awaitable[str]], *, vital: bool = False) -> None:
        """Make a check again and again, and say when it fails."""


@asynccontextmanager
async def open_database(host: Host) -> AsyncIterator[Database]:
    """The store that a service's settings name, its schema at the newest revision of the service's folder `migrations`.

    A store that is away, or that another process keeps locked, is waited for. While the service runs a row is committed
    every second to know that it is there: the service does not serve while it is not. It is closed at the end.
    """
    settings = host.settings
    opening = partial(Database, settings.database_url, synchronous=settings.sqlite_synchronous or "FULL")
    db = await host.patiently(STORE, lambda: asyncio.to_thread(opening))
    try:
        await host.patiently(STORE, lambda: db.migrate(f"{host.service}:migrations"))
        host.watch(STORE, db.check, vital=True)
        yield db
    finally:
        await db.close()


def sqlite_url(path: Path) -> str:
    """The URL of an SQLite file."""
    return f"sqlite:///{path}"
