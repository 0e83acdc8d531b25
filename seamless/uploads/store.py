"""Added files in SQL. Every function runs inside a caller's transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from seamless.schema import metadata, text_column

uploads = sa.Table(
    "uploads", metadata, text_column("name", key=True), sa.Column("body", sa.LargeBinary, nullable=False)
)


def save_upload(conn: Connection, name: str, body: bytes, check: Callable[[Sequence[bytes]], None]) -> None:
    """Keep what was said of a file, in the place of what was said before.

    Raises what `check` raises of the files that are there: none is added meanwhile, by whichever process.
    """
    if conn.dialect.name == "postgresql":  # an SQLite store has one writer at a time
        conn.execute(sa.text("LOCK TABLE uploads IN SHARE ROW EXCLUSIVE MODE"))
    check(load_uploads(conn))
    conn.execute(sa.delete(uploads).where(uploads.c.name == name))
    conn.execute(sa.insert(uploads), {"name": name, "body": body})


def load_uploads(conn: Connection) -> list[bytes]:
    """Every file, by name."""
    return list(conn.scalars(sa.select(uploads.c.body).order_by(uploads.c.name)))
