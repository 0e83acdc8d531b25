"""Migrations: they are found where the package says, or nothing starts."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect

from qmtl.core.errors import InvalidRequest
from qmtl.sql.migrations import upgrade
from tests.support.processes import python_env


def test_a_folder_without_migrations_is_refused(tmp_path: Path) -> None:
    engine = create_engine("sqlite://")
    with engine.begin() as conn, pytest.raises(InvalidRequest, match="E_MIGRATIONS"):
        upgrade(conn, str(tmp_path))
    engine.dispose()


REVISION = """
from alembic import op
revision, down_revision = "{number}", {before}
def upgrade():
    op.execute("CREATE TABLE {name} (id INTEGER)")
"""


def test_a_store_of_another_build_is_refused_and_one_that_is_behind_is_brought_up(tmp_path: Path) -> None:
    """The same number with other code is another revision; a comment in it is none."""

    def opened(build: str, *names: str, comment: str = "") -> list[str]:
        versions = tmp_path / build / "versions"
        versions.mkdir(parents=True)
        for at, name in enumerate(names):
            before = repr(f"000{at}") if at else None
            said = REVISION.format(number=f"000{at + 1}", before=before, name=name)
            (versions / f"000{at + 1}_{name}.py").write_text(said + comment)
        engine = create_engine(f"sqlite:///{tmp_path / 'store.db'}")
        try:
            with engine.begin() as conn:
                upgrade(conn, str(versions.parent))
                return inspect(conn).get_table_names()
        finally:
            engine.dispose()

    assert "one" in opened("first", "one")
    assert "two" in opened("second", "one", "two", comment="# told anew\n")
    with pytest.raises(InvalidRequest, match="another build: its revisions 0002 are not") as refusal:
        opened("third", "one", "other")
    assert "empty home" in refusal.value.hint
    with pytest.raises(InvalidRequest, match="another build: its revisions 0001, 0002 are not"):
        opened("fourth", "other")
    assert "two" in opened("fifth", "one", "two")


def test_migrations_of_two_stores_at_once_do_not_meet(tmp_path: Path) -> None:
    """Alembic holds the migration under way in a global of the process."""
    services = ["brokerage", "dagmanager", "gateway", "worldservice"] * 3

    def prepare(number: int) -> set[str]:
        engine = create_engine(f"sqlite:///{tmp_path / f'{number}.db'}")
        try:
            with engine.begin() as conn:
                upgrade(conn, f"{services[number]}:migrations")
                return set(inspect(conn).get_table_names())
        finally:
            engine.dispose()

    with ThreadPoolExecutor(len(services)) as threads:
        made = list(threads.map(prepare, range(len(services))))
    assert made[:4] == made[4:8] == made[8:]
    assert len({frozenset(tables) for tables in made}) == 4


def test_a_store_that_is_up_to_date_is_opened_without_alembic(tmp_path: Path) -> None:
    """It takes a fifth of a second to load, and only a store that is behind needs it."""
    code = (
        "import sys, sqlalchemy as sa; from qmtl.sql.migrations import upgrade\n"
        "with sa.create_engine(sys.argv[1]).begin() as conn: upgrade(conn, 'gateway:migrations')\n"
        "print('alembic' in sys.modules)"
    )
    args = [sys.executable, "-c", code, f"sqlite:///{tmp_path / 'store.db'}"]
    said = [subprocess.run(args, env=python_env(), capture_output=True, text=True, check=True).stdout for _ in range(2)]
    assert said == ["True\n", "False\n"]
