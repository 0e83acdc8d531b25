"""Each service's migration makes exactly the tables that its code declares."""

from __future__ import annotations

import importlib

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from brokerage.schema import metadata as brokerage_tables
from dagmanager.tables import metadata as dagmanager_tables
from gateway.submissions.tables import METADATA as GATEWAY_TABLES
from qmtl.sql.database import Database
from seamless.schema import metadata as seamless_tables
from worldservice.tables import metadata as worldservice_tables

DECLARED = {
    "brokerage": brokerage_tables,
    "dagmanager": dagmanager_tables,
    "gateway": GATEWAY_TABLES,
    "seamless": seamless_tables,
    "worldservice": worldservice_tables,
}
EVERY_STORE = ("qmtl_store_check", "applied_revisions")


@pytest.mark.parametrize("service", DECLARED)
async def test_the_migration_makes_the_tables_that_the_code_declares(service: str, database_url: str) -> None:
    def differences(conn: sa.Connection) -> list[object]:
        context = MigrationContext.configure(conn, opts={"include_name": lambda name, *_: name not in EVERY_STORE})
        return list(compare_metadata(context, DECLARED[service]))

    importlib.import_module(f"{service}.__main__")  # declares the tables of every room
    db = Database(database_url)
    try:
        await db.migrate(f"{service}:migrations")
        assert await db.read(differences) == []
    finally:
        await db.close()
