"""Run a service's Alembic revisions on a connection, without an ini file or an env.py of its own.

A service has only `<package>/migrations/versions/NNNN_<name>.py`. The caller holds the transaction and the lock.
"""

from __future__ import annotations

import hashlib
import threading
import tokenize
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from sqlalchemy import Column, Connection, MetaData, String, Table, inspect, select, text

from qmtl.core.errors import InvalidRequest, Violation

ENVIRONMENT = Path(__file__).parent / "alembic"
_TABLE = "alembic_version"
_APPLIED = Table(
    "applied_revisions", MetaData(), Column("revision", String(16), primary_key=True), Column("content", String(64))
)
"""What each revision said when it was applied: before 0.1.0 one may be written anew under its number."""
_SAYS_NOTHING = (tokenize.COMMENT, tokenize.NL, tokenize.ENCODING)
_ONE = threading.Lock()  # alembic keeps the migration under way in a global of the process


def upgrade(conn: Connection, script_location: str) -> None:
    """Apply every revision not yet applied.

    Raises InvalidRequest (E_MIGRATIONS) if there is no versions folder, or where the store was made by another build,
    whose revisions of the same numbers said something else: its tables are not those that the service reads.
    """
    versions = _folder(script_location) / "versions"
    if not versions.is_dir():
        raise InvalidRequest(
            "E_MIGRATIONS",
            f"no migrations at {versions}",
            violations=[Violation("script_location", script_location, "<package>:<folder> with a versions folder")],
        )
    revisions, present = _contents(versions), _present(conn)
    if present:
        _refuse_another_build(conn, revisions, present)
    if max(revisions, default="") != present:
        _run(conn, versions)
        _APPLIED.create(conn, checkfirst=True)
        new = [{"revision": one, "content": said} for one, said in revisions.items() if one > present]
        conn.execute(_APPLIED.insert(), new)


def _folder(script_location: str) -> Path:
    """A folder by its path, or by its package and its name in there."""
    package, separator, name = script_location.partition(":")
    return Path(str(files(package) / name)) if separator and "/" not in package else Path(script_location)


def _contents(versions: Path) -> dict[str, str]:
    """What each revision of the folder does, as a hash of its code: files are named NNNN_<name>.py after theirs."""
    return {
        path.name.partition("_")[0]: _content(path, path.stat().st_mtime_ns) for path in sorted(versions.glob("*.py"))
    }


@lru_cache(maxsize=64)
def _content(path: Path, written_ns: int) -> str:
    with path.open("rb") as file:
        words = [(one.type, one.string) for one in tokenize.tokenize(file.readline) if one.type not in _SAYS_NOTHING]
    return hashlib.sha256(repr(words).encode()).hexdigest()


def _refuse_another_build(conn: Connection, revisions: dict[str, str], present: str) -> None:
    applied = {}
    if inspect(conn).has_table(_APPLIED.name):
        applied = {row.revision: row.content for row in conn.execute(select(_APPLIED))}
    other = [
        one
        for one in {*applied, *(name for name in revisions if name <= present)}
        if applied.get(one) != revisions.get(one)
    ]
    if other:
        named = ", ".join(sorted(other))
        raise InvalidRequest(
            "E_MIGRATIONS",
            f"the store was made by another build: its revisions {named} are not those of this one",
            hint="before 0.1.0 stores are not carried over: start with an empty home or database, or with that build",
            violations=[
                Violation("store", f"revisions {named} of another build", f"made by revisions up to {present}")
            ],
        )


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
