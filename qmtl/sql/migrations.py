"""Run a service's Alembic revisions on a connection, without an ini file or an env.py of its own.

A service has only `<package>/migrations/versions/NNNN_<name>.py`. The caller holds the transaction and the lock.
"""

from __future__ import annotations

import threading
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util.pyfiles import coerce_resource_to_filename
from sqlalchemy import Connection

from qmtl.core.errors import InvalidRequest, Violation

ENVIRONMENT = Path(__file__).parent / "alembic"
_ONE = threading.Lock()  # alembic keeps the migration under way in a global of the process


def upgrade(conn: Connection, script_location: str) -> None:
    """Apply every revision not yet applied. Raises InvalidRequest if there is no versions folder."""
    versions = Path(coerce_resource_to_filename(script_location)) / "versions"
    if not versions.is_dir():
        raise InvalidRequest(
            "E_MIGRATIONS",
            f"no migrations at {versions}",
            violations=[Violation("script_location", script_location, "<package>:<folder> with a versions folder")],
        )
    config = Config(attributes={"connection": conn})
    config.set_main_option("script_location", str(ENVIRONMENT))
    config.set_main_option("version_locations", str(versions).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    with _ONE:
        command.upgrade(config, "head")
