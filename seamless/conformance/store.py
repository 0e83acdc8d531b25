"""The newest conformance report of each dataset, in SQL."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from seamless.schema import metadata, text_column

reports = sa.Table(
    "reports",
    metadata,
    text_column("dataset", key=True),
    sa.Column("body", sa.LargeBinary, nullable=False),
)


def save_report(conn: Connection, dataset: str, body: bytes) -> None:
    """Keep the newest conformance report of a dataset."""
    conn.execute(sa.delete(reports).where(reports.c.dataset == dataset))
    conn.execute(sa.insert(reports), {"dataset": dataset, "body": body})


def load_report(conn: Connection, dataset: str) -> bytes | None:
    """The newest conformance report of a dataset."""
    return conn.scalar(sa.select(reports.c.body).where(reports.c.dataset == dataset))
