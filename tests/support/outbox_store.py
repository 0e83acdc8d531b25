"""A migrated store with the outbox tables, on SQLite or PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from qmtl.sql.database import Database

OUTBOX_REVISION = """
import sqlalchemy as sa
from alembic import op
from controlbus.outbox.outbox import create_tables

revision = "0001"
down_revision = None


def upgrade():
    create_tables(op)
    op.create_table("notes", sa.Column("id", sa.Text, primary_key=True), sa.Column("text", sa.Text))
"""


@pytest.fixture
def migrations(tmp_path: Path) -> str:
    versions = tmp_path / "migrations" / "versions"
    versions.mkdir(parents=True)
    (versions / "0001_initial.py").write_text(OUTBOX_REVISION)
    return str(tmp_path / "migrations")


@pytest.fixture
async def db(database_url: str, migrations: str) -> AsyncIterator[Database]:
    """On both dialects."""
    database = Database(database_url)
    await database.migrate(migrations)
    yield database
    await database.close()


@pytest.fixture
async def sqlite_db(tmp_path: Path, migrations: str) -> AsyncIterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'one.db'}")
    await database.migrate(migrations)
    yield database
    await database.close()
