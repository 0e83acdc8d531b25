"""A scaled-out mesh as docs/operations.md makes it: `qmtl prod init`, then each process by the command shown there.

Real PostgreSQL, three nats-servers, two gateways, worldservices and dagmanagers, all over TLS on loopback.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import psycopg

from qmtl.cli.local.ports import keep
from qmtl.cli.prod.documents import database_name
from qmtl.cli.prod.topology import NATS, Process, Topology, read_topology
from qmtl.config.settings import SERVICES
from qmtl.rpc.client.reach import obstacle
from tests.support.processes import ROOT

START_S = 240.0
NOTHING: Mapping[str, str] = MappingProxyType({})
STOP_S = 15.0


def environment() -> dict[str, str]:
    """A person's shell on one of the machines: nothing of QMTL is set."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("QMTL")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
    return {**kept, "PATH": path, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "gen")]), "COLUMNS": "200"}


def free_ports(count: int) -> int:
    """The first of so many neighbouring ports that nobody listens on, kept for this process."""
    while True:
        first = random.SystemRandom().randrange(21_000, 31_000)
        if all(keep(port) for port in range(first, first + count)):
            return first


@dataclass
class ScaledMesh:
    """The operator's folder and the processes that run out of it."""

    folder: Path
    database: str
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def topology(self) -> Topology:
        return read_topology(self.folder)

    def qmtl(
        self, *args: str | Path, cwd: Path | None = None, environ: Mapping[str, str] = NOTHING
    ) -> subprocess.CompletedProcess[str]:
        """`qmtl ...` as the operator types it."""
        return subprocess.run(
            [sys.executable, "-m", "qmtl.cli", *map(str, args)], cwd=cwd or self.folder.parent,
            env={**environment(), **environ}, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    def ask(self, *args: str | Path, gateway: str = "gateway-1") -> str:
        """What a command prints; it must succeed."""
        done = self.qmtl(*args, environ=self.access(gateway))
        assert done.returncode == 0, f"{args}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        return done.stdout

    def access(self, gateway: str = "gateway-1") -> dict[str, str]:
        """What a user exports."""
        process = next(one for one in self.topology.processes if one.name == gateway)
        return {
            "QMTL_ADDRESS": process.address,
            "QMTL_TOKEN_FILE": str(self.folder / "ann.jwt"),
            "QMTL_CA": str(self.folder / "ca.pem"),
        }

    def demo(self, out: Path) -> str:
        """The demo's story on this mesh, as docs/operations.md says; what it prints."""
        done = subprocess.run(
            [sys.executable, "-m", "examples.demo", "--out", str(out)], cwd=ROOT,
            env={**environment(), **self.access()}, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{done.stdout[-3000:]}{done.stderr[-2000:]}"
        return done.stdout

    def init(self) -> None:
        """The folder, the databases and a user's token."""
        port = str(free_ports(24))
        place = ("--dir", self.folder, "--host", "127.0.0.1", "--port", port)
        done = self.qmtl("prod", "init", *place, "--database", self.database)
        assert done.returncode == 0, done.stderr
        with psycopg.connect(self.database, autocommit=True) as conn:
            for statement in filter(None, (self.folder / "databases.sql").read_text().split(";\n")):
                conn.execute(statement.encode())
        token = self.qmtl("prod", "user", "--dir", self.folder, "--subject", "ann", "--role", "owner")
        (self.folder / "ann.jwt").write_text(token.stdout)

    def renew_secrets(self) -> None:
        """New certificates and service tokens, under traffic; the nodes of the broker are told to read theirs."""
        for kind in ("certs", "tokens"):
            done = self.qmtl("prod", kind, "renew", "--dir", self.folder)
            assert done.returncode == 0, done.stderr
        nats_server = str(shutil.which("nats-server", path=environment()["PATH"]))
        for node in self.topology.of(NATS):
            pid = (self.folder / node.name / "nats.pid").read_text().strip()
            subprocess.run([nats_server, "--signal", f"reload={pid}"], check=True, capture_output=True, timeout=30)

    def start(self, name: str) -> None:
        """Start one process the way its own qmtl.toml or nats.conf says."""
        process = self.process(name)
        place = self.folder / name
        command = (
            [str(shutil.which("nats-server", path=environment()["PATH"])), "-c", "nats.conf"]
            if process.kind == NATS
            else [sys.executable, "-m", process.kind]
        )
        with (place / "log").open("ab") as log:
            self.processes[name] = subprocess.Popen(command, cwd=place, env=environment(), stdout=log, stderr=log)

    def start_all(self) -> None:
        """Broker first, as operations.md says; then everybody."""
        for process in self.topology.processes:
            self.start(process.name)

    async def ready(self, deadline_s: float = START_S) -> None:
        """Until every service answers over TLS."""
        until = time.monotonic() + deadline_s
        for process in self.topology.processes:
            if process.kind == NATS:
                continue
            place = self.folder / process.name
            while True:
                assert self.processes[process.name].poll() is None, f"{process.name} ended: {self.log(process.name)}"
                found = await obstacle(process.address, place / "ca.pem", place / "tls.crt", place / "tls.key")
                if found is None:
                    break
                assert time.monotonic() < until, f"{process.name}: {found}: {self.log(process.name)}"

    def metrics(self, name: str) -> str:
        """What Prometheus scrapes, with the token and the CA that `qmtl prod init` made."""
        process = self.process(name)
        headers = {"Authorization": f"Bearer {(self.folder / 'metrics.token').read_text().strip()}"}
        request = urllib.request.Request(f"https://{process.host}:{process.side_port}/metrics", headers=headers)
        context = ssl.create_default_context(cafile=str(self.folder / "ca.pem"))
        with urllib.request.urlopen(request, context=context, timeout=10) as reply:
            return str(reply.read(), "utf-8")

    def process(self, name: str) -> Process:
        return next(one for one in self.topology.processes if one.name == name)

    def log(self, name: str, size: int = 3000) -> str:
        return (self.folder / name / "log").read_text(errors="replace")[-size:]

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """Send a signal and wait for the end."""
        self.processes[name].send_signal(number)
        self.processes[name].wait(STOP_S)

    def ended(self) -> dict[str, int]:
        """Processes that ended, by themselves or not, with their codes."""
        codes = {name: process.poll() for name, process in self.processes.items()}
        return {name: code for name, code in codes.items() if code is not None}

    def drop_databases(self) -> None:
        """Leave the server as it was."""
        with psycopg.connect(self.database, autocommit=True) as conn:
            for service in SERVICES:
                conn.execute(f"DROP DATABASE IF EXISTS {database_name(service)} WITH (FORCE)".encode())

    def stop(self) -> None:
        """End everything, services first."""
        running = [process for process in self.processes.values() if process.poll() is None]
        for process in running:
            process.send_signal(signal.SIGTERM)
        until = time.monotonic() + STOP_S
        for process in running:
            try:
                process.wait(max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
