"""Stores whose schema is there already: each service's migrations run once per session, the rest are copies.

A room's conftest names its service in `store_of`; its `database_url` then has that service's empty tables. What
composes a service in a folder calls `lay_store` first. `tests/sql` migrates from nothing, on both databases.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from qmtl.config.files import FILE_MODE, private_folder
from qmtl.sql.database import Database, sqlite_url


def lay_store(url: str, service: str) -> None:
    """An SQLite file with the service's empty tables, where there is none; other databases are left to the service."""
    target = make_url(url)
    if target.get_backend_name() != "sqlite" or target.database is None or Path(target.database).exists():
        return
    path = Path(target.database)
    private_folder(path.parent)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE), "wb") as file:
        file.write(_empty_sqlite(service))


@pytest.fixture(scope="session")
def postgres_template(postgres_server: str) -> Iterator[Callable[[str], str]]:
    """The name of a database with a service's empty tables, to be copied."""
    made: dict[str, str] = {}

    def template(service: str) -> str:
        if service not in made:
            name = f"{service}_template"
            with psycopg.connect(postgres_server, autocommit=True) as conn:
                conn.execute(f'CREATE DATABASE "{name}"'.encode())
            _migrated(database_of(postgres_server, name), service)
            made[service] = name
        return made[service]

    yield template
    with psycopg.connect(postgres_server, autocommit=True) as conn:
        for name in made.values():
            conn.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


def database_of(server: str, name: str) -> str:
    """The URL of a database of the server."""
    head, query = server.partition("?")[::2]
    return head.rsplit("/", 1)[0] + f"/{name}" + (f"?{query}" if query else "")


@cache
def _empty_sqlite(service: str) -> bytes:
    with tempfile.TemporaryDirectory(prefix="qmtl-store-") as folder:
        path = Path(folder) / "store.db"
        _migrated(sqlite_url(path), service)
        return path.read_bytes()


def _migrated(url: str, service: str) -> None:
    """Bring a store to the newest revision, whether or not an event loop runs in this thread."""

    async def migrate() -> None:
        db = Database(url)
        try:
            await db.migrate(f"{service}:migrations")
        finally:
            await db.close()

    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(migrate())).result()
