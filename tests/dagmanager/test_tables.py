"""The migration makes the tables that the code declares."""

from __future__ import annotations

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from dagmanager.tables import metadata
from tests.dagmanager.estate import Estate


async def test_migrations_make_the_tables_the_code_declares(estate: Estate) -> None:
    def differences(conn: sa.Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(conn), metadata))

    assert await estate.db.read(differences) == []
