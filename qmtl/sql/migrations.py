"""Run a service's Alembic revisions on a connection, without an ini file or an env.py of its own.

A service has only `<package>/migrations/versions/NNNN_<name>.py`. The caller holds the transaction and the lock.
"""

from __future__ import annotations

import threading
from importlib.resources import files
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from qmtl.core.errors import InvalidRequest, Violation

ENVIRONMENT = Path(__file__).parent / "alembic"
_TABLE = "alembic_version"
_ONE = threading.Lock()  # alembic keeps the migration under way in a global of the process


def upgrade(conn: Connection, script_location: str) -> None:
    """Apply every revision not yet applied. Raises InvalidRequest if there is no versions folder."""
    versions = _folder(script_location) / "versions"
    if not versions.is_dir():
        raise InvalidRequest(
            "E_MIGRATIONS",
            f"no migrations at {versions}",
            violations=[Violation("script_location", script_location, "<package>:<folder> with a versions folder")],
        )
    if _newest(versions) != _present(conn):
        _run(conn, versions)


def _folder(script_location: str) -> Path:
    """A folder by its path, or by its package and its name in there."""
    package, separator, name = script_location.partition(":")
    return Path(str(files(package) / name)) if separator and "/" not in package else Path(script_location)


def _newest(versions: Path) -> str:
    """The last revision of the folder: files are named NNNN_<name>.py after theirs."""
    return max((path.name.partition("_")[0] for path in versions.glob("*.py")), default="")


def _present(conn: Connection) -> str:
    """The revision of the store; empty before the first."""
    if not inspect(conn).has_table(_TABLE):
        return ""
    return str(conn.execute(text(f"SELECT version_num FROM {_TABLE}")).scalar_one_or_none() or "")


def _run(conn: Connection, versions: Path) -> None:
    from alembic import command  # a fifth of a second, which a store that is up to date spares
    from alembic.config import Config

    config = Config(attributes={"connection": conn})
    config.set_main_option("script_location", str(ENVIRONMENT))
    config.set_main_option("version_locations", str(versions).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    with _ONE:
        command.upgrade(config, "head")
