"""The dev home: where the local mesh keeps what, and the record of the one that runs.

`qmtl up` writes the record; CLI and SDK read it to find the gateway without being told. A record whose
process is gone counts as absent. Nothing here starts or stops anything.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from qmtl.config.files import write_private
from qmtl.config.settings import addresses_of, load_mesh, read_tree
from qmtl.core.roles import Role


@dataclass(frozen=True, slots=True)
class Running:
    """One process of a mesh. `stamp` tells it from a later process with the same pid; "" where unknown."""

    name: str
    address: str
    pid: int
    stamp: str
    metrics_port: int = 0
    restarts: int = 0
    ready_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Record:
    """What `qmtl up` says of itself in run/up.json."""

    supervisor: Running
    nats_url: str
    ready: bool
    processes: tuple[Running, ...]

    def address_of(self, service: str) -> str | None:
        """The address of a service's first process."""
        return next((process.address for process in self.processes if process.name == service), None)


def record_path(home: Path) -> Path:
    return home / "run" / "up.json"


def log_path(home: Path, name: str) -> Path:
    return home / "logs" / f"{name}.log"


def user_token_path(home: Path, role: Role) -> Path:
    """Where `qmtl up` leaves the token of a role."""
    return home / "tokens" / f"{role.name.lower()}.jwt"


def subject_token_path(home: Path, subject: str) -> Path:
    """Where `qmtl up` leaves the token of a machine that acts under a name of its own."""
    return home / "tokens" / f"{subject}.jwt"


def write_record(home: Path, record: Record) -> None:
    """Replace the record in one step."""
    write_private(record_path(home), json.dumps(asdict(record), indent=1))


def read_record(home: Path) -> Record | None:
    """The last record, whether or not its processes still run; None if there is none that can be read."""
    try:
        document = json.loads(record_path(home).read_bytes())
        return Record(
            supervisor=Running(**document["supervisor"]),
            nats_url=document["nats_url"],
            ready=document["ready"],
            processes=tuple(Running(**process) for process in document["processes"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def live_record(home: Path) -> Record | None:
    """The record of the mesh that runs in this home now."""
    record = read_record(home)
    return record if record and is_alive(record.supervisor) else None


def is_alive(process: Running) -> bool:
    """Whether this very process still runs; a zombie does not."""
    stamp = process_stamp(process.pid)
    return stamp is not None and process.stamp in ("", stamp)


def alive(processes: Iterable[Running]) -> list[Running]:
    return [process for process in processes if is_alive(process)]


def process_stamp(pid: int) -> str | None:
    """Start time of a process in kernel ticks; "" where the system does not tell; None if it does not run."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return None if fields[0] in ("Z", "X") else fields[19]
    except OSError:
        return "" if not Path("/proc/self/stat").exists() and _answers_signal(pid) else None


def _answers_signal(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def find_home(given: Path | None, config: Path | None = None) -> Path:
    """The home to use: the one given, else the configured one (default .qmtl)."""
    return (given or load_mesh(read_tree(config)).home).absolute()


def gateway_address(home: Path, config: Path | None = None) -> str:
    """Where the gateway of this home listens: as recorded by a running mesh, else as configured."""
    record = live_record(home)
    configured = addresses_of(load_mesh(read_tree(config)).addresses["gateway"])[0]
    return (record.address_of("gateway") if record else None) or configured
