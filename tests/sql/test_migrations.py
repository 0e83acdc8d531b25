"""Migrations: they are found where the package says, or nothing starts."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import create_engine

from qmtl.core.errors import InvalidRequest
from qmtl.sql.migrations import upgrade


def test_a_folder_without_migrations_is_refused(tmp_path: Path) -> None:
    engine = create_engine("sqlite://")
    with engine.begin() as conn, pytest.raises(InvalidRequest, match="E_MIGRATIONS"):
        upgrade(conn, str(tmp_path))
    engine.dispose()
