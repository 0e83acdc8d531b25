"""Rows of files made of the graph."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from dagmanager.artifacts.domain import Artifact
from dagmanager.tables import artifacts
from qmtl.sql.instants import micros


def keep_artifact(conn: Connection, artifact: Artifact, used_by: str, now: datetime) -> None:
    """Write a file into the catalogue; a file written again replaces its row."""
    conn.execute(sa.delete(artifacts).where(artifacts.c.path == artifact.path))
    values = {
        "path": artifact.path,
        "checksum": artifact.checksum,
        "size_bytes": artifact.size_bytes,
        "used_by": used_by,
        "created_us": micros(now),
    }
    conn.execute(sa.insert(artifacts).values(values))
