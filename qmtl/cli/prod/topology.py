"""Which processes a mesh of profile prod has and where each listens. Pure, but for its file."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from qmtl.config.settings import SERVICES
from qmtl.core.errors import InvalidRequest, NotFound, Violation

NATS = "nats"
NATS_NODES = 3
REPLICAS: Mapping[str, int] = {
    "gateway": 2,
    "worldservice": 2,
    "dagmanager": 2,
    "brokerage": 1,
    "seamless": 1,
    "controlbus": 1,
}
SINGLE = ("brokerage", "seamless", "controlbus")  # those that share no state between replicas yet
PORTS_EACH = 2
PORT_MAX = 65_535
FILE = "mesh.json"


@dataclass(frozen=True, slots=True)
class Process:
    """One process: its folder's name, what it runs, where it listens. `side_port`: metrics, or routes of NATS."""

    name: str
    kind: str
    host: str
    port: int
    side_port: int

    @property
    def address(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Topology:
    """A mesh: its processes, and the server of the databases, each service having one of its own."""

    processes: tuple[Process, ...]
    database: str
    artifacts: str

    def of(self, kind: str) -> tuple[Process, ...]:
        """The processes of one kind, in order."""
        return tuple(process for process in self.processes if process.kind == kind)

    def addresses(self, kind: str) -> str:
        """The addresses of all its processes, as settings spell them."""
        return ",".join(process.address for process in self.of(kind))


def topology(hosts: tuple[str, ...], database: str, artifacts: str, replicas: Mapping[str, int], port: int) -> Topology:
    """Spread the processes over the hosts in turn, ports counting up from `port` on each.

    Raises InvalidRequest (E_CONFIG) for hosts that are no IP addresses, too many replicas, or ports that do not fit.
    """
    if not hosts:
        raise _config("--host", "not given", "the IP address of each machine")
    for host in hosts:
        try:
            ipaddress.ip_address(host)
        except ValueError:
            raise _config("--host", repr(host), "an IP address: replicas are found by it") from None
    kinds = [NATS] * NATS_NODES
    for service in SERVICES:
        count = replicas.get(service, REPLICAS[service])
        if count < 1 or (service in SINGLE and count > 1):
            raise _config("--replicas", f"{service}={count}", "1" if service in SINGLE else "at least 1")
        kinds += [service] * count
    used = dict.fromkeys(hosts, 0)
    numbers: dict[str, int] = {}
    processes = []
    for kind in kinds:
        numbers[kind] = numbers.get(kind, 0) + 1
        host = hosts[(numbers[kind] - 1) % len(hosts)]
        own = port + PORTS_EACH * used[host]
        used[host] += 1
        if not 0 < own < PORT_MAX:
            raise _config("--port", str(port), f"a port that leaves {PORTS_EACH * len(kinds)} above it")
        processes.append(Process(f"{kind}-{numbers[kind]}", kind, host, own, own + 1))
    return Topology(tuple(processes), database, artifacts)


def topology_text(mesh: Topology) -> str:
    """The file that `qmtl prod certs|tokens renew` read again."""
    return json.dumps(asdict(mesh), indent=1) + "\n"


def read_topology(folder: Path) -> Topology:
    """The mesh of a folder that `qmtl prod init` made. Raises NotFound (E_PROD_FOLDER)."""
    path = folder / FILE
    try:
        document = json.loads(path.read_bytes())
        processes = tuple(Process(**process) for process in document["processes"])
        return Topology(processes, document["database"], document["artifacts"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NotFound("E_PROD_FOLDER", f"{path} is no mesh: {error}", hint="qmtl prod init --dir makes one") from None


def _config(setting: str, value: str, want: str) -> InvalidRequest:
    violation = Violation(setting, value, want)
    return InvalidRequest("E_CONFIG", str(violation), violations=[violation])
