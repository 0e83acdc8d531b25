"""Faults of a running mesh: each is done to it, lasts a while, and says when it was over."""

from __future__ import annotations

import asyncio
import random
import shutil
import signal
import sqlite3
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from qmtl.cli.local.nats_server import NATS
from qmtl.cli.local.supervisor import Mesh
from qmtl.config.home import log_path
from tests.faults.machine_clock import MachineClock
from tests.support.disks import SmallDisk
from tests.support.waiting import eventually

SERVICES = ("gateway", "worldservice", "brokerage", "dagmanager", "seamless", "controlbus")
STORES = ("gateway", "worldservice", "brokerage", "dagmanager", "seamless")
WEIGHTS = {"KILL": 5, "STOP": 5, "CLOCK": 4, "DISK": 2, "STORE": 2, "PAGE": 2}
REFUSED = "E_DATABASE_CORRUPT"
WAL_HEADER, FRAME_HEADER = 32, 24


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens, to whom, and how much: seconds it lasts, or that the clock is set by."""

    kind: str
    target: str = ""
    amount_s: float = 0.0

    def __str__(self) -> str:
        return " ".join(filter(None, (self.kind, self.target, f"{self.amount_s:.1f} s" if self.amount_s else "")))


def drawn(count: int, seed: int, kinds: Sequence[str]) -> list[Fault]:
    """So many faults. Of processes that are ended it is always one of those that were left alone longest, since the
    supervisor waits longer for who ends often."""
    dice = random.Random(seed)
    alone = [*SERVICES, NATS]
    found = []
    for kind in dice.choices(kinds, [WEIGHTS[kind] for kind in kinds], k=count):
        if kind in ("KILL", "PAGE", "STORE"):
            among = {"KILL": alone, "PAGE": STORES, "STORE": (NATS,)}[kind]
            target = next(name for name in alone if name in among)
            alone.remove(target)
            alone.append(target)
            found.append(Fault(kind, target))
        elif kind == "STOP":
            found.append(Fault(kind, dice.choice((*SERVICES, NATS)), dice.uniform(0.3, 8.0)))
        elif kind == "CLOCK":
            found.append(Fault(kind, "", dice.choice((-1, 1)) * 10 ** dice.uniform(0.3, 3.5)))
        else:
            found.append(Fault(kind, "", dice.uniform(2.0, 6.0)))
    return found


@dataclass
class Injector:
    """Does them to one mesh; `refused` counts the damaged pages that were refused by name."""

    mesh: Mesh
    clock: MachineClock
    disk: SmallDisk | None
    dice: random.Random
    refused: int = 0
    _stores: int = 0
    _ahead_s: float = field(default=0.0)

    async def do(self, fault: Fault) -> float:
        """The monotonic instant at which it was over."""
        match fault.kind:
            case "KILL":
                self.mesh.kill(fault.target)
            case "STOP":
                self.mesh.kill(fault.target, signal.SIGSTOP)
                await asyncio.sleep(fault.amount_s)
                self.mesh.kill(fault.target, signal.SIGCONT)
            case "CLOCK":  # back to the machine's time when it has been set away from it
                self._ahead_s = 0.0 if self._ahead_s else fault.amount_s
                self.clock.set_to(self._ahead_s)
            case "DISK":
                assert self.disk is not None
                await asyncio.to_thread(self.disk.fill)
                await asyncio.sleep(fault.amount_s)
                self.disk.free()
            case "STORE":
                self._remove_store()
            case "PAGE":
                await self._damage(fault.target)
        return time.monotonic()

    def _remove_store(self) -> None:
        """What a new disk under the broker is: it comes back with nothing."""
        self._stores += 1
        store = self.mesh.home / "nats" / "store"
        gone = store.with_name(f"gone-{self._stores}")
        store.rename(gone)
        self.mesh.kill(NATS)
        shutil.rmtree(gone, ignore_errors=True)

    async def _damage(self, service: str) -> None:
        """A page that is overwritten while the service is away: refused by name until the page is as it was."""
        path = self.mesh.home / "state" / f"{service}.db"
        await asyncio.to_thread(_empty_log, path)
        self.mesh.kill(service, signal.SIGSTOP)
        log = log_path(self.mesh.home, service)
        told = log.read_bytes().count(REFUSED.encode())
        size, pages = _roots(path)
        page = self.dice.choice(pages)
        with path.open("r+b", buffering=0) as file:
            file.seek((page - 1) * size)
            whole = file.read(size)
            file.seek((page - 1) * size)
            file.write(b"\xff" * size)
            self.mesh.kill(service)
            try:
                await eventually(lambda: log.read_bytes().count(REFUSED.encode()) > told, 60)
                assert str(path) in log.read_text(errors="replace").rpartition(REFUSED)[2]
                self.refused += 1
            finally:
                file.seek((page - 1) * size)
                file.write(whole)


def _empty_log(path: Path) -> None:
    """Move what is in the write-ahead log into the file: what the log holds hides the page of the file."""
    conn = sqlite3.connect(path, timeout=10)
    try:
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        conn.close()


def _roots(path: Path) -> tuple[int, list[int]]:
    """The size of a page, and the root pages of tables and indices that are not newer in the write-ahead log."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as conn:
        size = int(conn.execute("PRAGMA page_size").fetchone()[0])
        roots = [int(row[0]) for row in conn.execute("SELECT rootpage FROM sqlite_schema WHERE rootpage > 1")]
    conn.close()
    wal = Path(f"{path}-wal")
    body = wal.read_bytes()[WAL_HEADER:] if wal.exists() else b""
    step = FRAME_HEADER + size
    newer = {struct.unpack(">I", body[at : at + 4])[0] for at in range(0, len(body) - step + 1, step)}
    return size, [root for root in roots if root not in newer]
