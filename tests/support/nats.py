"""A real nats-server for tests: own port, own store, stopped at the end; `NatsServer` can be killed and restarted.

async def test_x(nats_url: str): ...            # one server per session, streams shared: use keys of your own
async def test_y(nats_server: NatsServer): ...  # one server per test: nats_server.kill(), nats_server.start()
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from qmtl.cli.local.ports import free_ports

START_S = 15.0


def free_port() -> int:
    """A port nobody listens on, given out once, to this process alone."""
    return free_ports(1)[0]


class NatsServer:
    """One nats-server process with JetStream in a folder that outlives kills."""

    def __init__(self, folder: Path, port: int | None = None, config: str = "") -> None:
        self.folder = folder
        self._config = folder / "nats.conf"
        self._config.write_text(config)
        self.port = port or free_port()
        self.log = folder / "nats.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start and wait until the port answers."""
        binary = shutil.which("nats-server", path=str(Path(sys.executable).parent)) or shutil.which("nats-server")
        assert binary, "nats-server is not installed in this environment"
        args = [binary, "-a", "127.0.0.1", "-p", str(self.port), "-js", "-sd", str(self.folder / "store")]
        self._process = subprocess.Popen([*args, "-l", str(self.log), "-c", str(self._config)])
        deadline = time.monotonic() + START_S
        while not self._answers():
            assert self._process.poll() is None, f"nats-server ended: {self.log.read_text()[-2000:]}"
            assert time.monotonic() < deadline, "nats-server did not answer in time"

    def kill(self) -> None:
        """SIGKILL: nothing is flushed or said."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def pause(self) -> None:
        """SIGSTOP, returning once it has stopped: connected and silent. `kill` ends it too."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        os.waitpid(self._process.pid, os.WUNTRACED)

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)  # a paused one would not hear the next signal
            self._process.terminate()
            self._process.wait(timeout=START_S)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=0.05) as conn:
                return conn.recv(4) == b"INFO"
        except OSError:
            return False


@pytest.fixture
def nats_server(tmp_path: Path) -> Iterator[NatsServer]:
    server = NatsServer(tmp_path)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def nats_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = NatsServer(tmp_path_factory.mktemp("nats"))
    server.start()
    yield server.url
    server.stop()


class NatsCluster:
    """Three nats-servers on loopback that hold replicated streams; any one of them may be killed."""

    def __init__(self, folder: Path) -> None:
        routes = [free_port() for _ in range(3)]
        peers = ", ".join(f'"nats-route://127.0.0.1:{port}"' for port in routes)
        self.nodes: dict[str, NatsServer] = {}
        for number, port in enumerate(routes):
            name = f"n{number}"
            (folder / name).mkdir()
            listen = f'listen: "127.0.0.1:{port}", no_advertise: true, routes: [{peers}]'
            config = f'server_name: "{name}"\ncluster {{ name: "t", {listen} }}\n'
            self.nodes[name] = NatsServer(folder / name, config=config)

    @property
    def url(self) -> str:
        return ",".join(node.url for node in self.nodes.values())

    def start(self) -> None:
        for node in self.nodes.values():
            node.start()

    def stop(self) -> None:
        for node in self.nodes.values():
            node.stop()


@pytest.fixture
def nats_cluster(tmp_path: Path) -> Iterator[NatsCluster]:
    cluster = NatsCluster(tmp_path)
    cluster.start()
    yield cluster
    cluster.stop()
