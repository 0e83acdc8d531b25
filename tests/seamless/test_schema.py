"""The tables of seamless are those that its migrations make."""

from __future__ import annotations

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from qmtl.sql.database import Database
from seamless import schema


async def test_the_tables_are_those_the_migrations_make(db: Database) -> None:
    def differences(conn: sa.Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(conn), schema.metadata))

    assert await db.read(differences) == []
