"""What other services said of their datasets, in SQL. Every function runs inside a caller's transaction."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from seamless.schema import metadata, text_column

remote_presets = sa.Table(
    "remote_presets", metadata, text_column("name", key=True), sa.Column("body", sa.LargeBinary, nullable=False)
)


def load_remote_presets(conn: Connection) -> dict[str, bytes]:
    """The message of each, by the name of the preset here."""
    return {row.name: row.body for row in conn.execute(sa.select(remote_presets))}


def save_remote_preset(conn: Connection, name: str, body: bytes) -> None:
    """Keep a message in the place of the one before."""
    conn.execute(sa.delete(remote_presets).where(remote_presets.c.name == name))
    conn.execute(sa.insert(remote_presets), {"name": name, "body": body})
