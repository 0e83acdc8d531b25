"""What a local mesh consists of: addresses, environment and command line of every process.

Pure but for looking for the nats-server binary and for free ports. The services read the same qmtl.toml;
what differs between meshes (home, addresses) goes through the environment, which wins over the file.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from qmtl.cli.local.health import health_answers, nats_answers
from qmtl.cli.local.nats_server import NATS, nats_binary, write_nats_config
from qmtl.cli.local.ports import free_ports
from qmtl.cli.local.process import Unit
from qmtl.config.home import log_path
from qmtl.config.settings import (
    DNS_SCHEME,
    ENV_FILE,
    METRICS_PORT_OFFSET,
    SERVICES,
    MeshSettings,
    addresses_of,
    load_mesh,
    read_tree,
    split_address,
)
from qmtl.core.errors import InvalidRequest

NATS_URL_VARIABLE = "QMTL_NATS_URL"
REPLICAS_MAX = 16


@dataclass(frozen=True, slots=True)
class Place:
    """Where one service process listens."""

    name: str
    service: str
    address: str
    metrics_port: int


@dataclass(frozen=True, slots=True)
class Plan:
    """A mesh to start. `own_nats` is False when QMTL_NATS_URL names one that runs already."""

    home: Path
    nats_url: str
    own_nats: bool
    places: tuple[Place, ...]
    config: Path | None = None
    environ: Mapping[str, str] = field(default_factory=dict)
    mesh: MeshSettings = field(default_factory=MeshSettings)

    def units(self) -> list[Unit]:
        """The broker first, then the services."""
        return [*([self._nats_unit()] if self.own_nats else []), *(self._unit(place) for place in self.places)]

    def _nats_unit(self) -> Unit:
        address = self.nats_url.removeprefix("nats://")
        argv = (nats_binary(), "-c", str(write_nats_config(self.home, address, self.mesh.log_limits)))
        return Unit(NATS, argv, address, log_path(self.home, NATS), nats_answers, dict(os.environ))

    def _unit(self, place: Place) -> Unit:
        upper = place.service.upper()
        own = {
            f"QMTL__{upper}__BIND": place.address,
            f"QMTL__{upper}__METRICS_PORT": str(place.metrics_port),
            f"QMTL__{upper}__LOG_FILE": str(log_path(self.home, place.name)),
        }
        return Unit(
            name=place.name,
            argv=(sys.executable, "-P", "-m", place.service),
            address=place.address,
            log=log_path(self.home, place.name),
            probe=health_answers,
            environ={**self._shared_environ(), **own},
            metrics_port=place.metrics_port,
        )

    def _shared_environ(self) -> dict[str, str]:
        first = {place.service: place.address for place in reversed(self.places)}
        return {
            "GRPC_VERBOSITY": "ERROR",  # core's own INFO lines would stand between the JSON ones
            **os.environ,
            "PYTHONPATH": os.pathsep.join(import_roots()),
            "PYTHONUNBUFFERED": "1",
            "QMTL__MESH__HOME": str(self.home),
            "QMTL__MESH__NATS_URL": self.nats_url,
            **{f"QMTL__MESH__ADDRESSES__{service.upper()}": address for service, address in first.items()},
            **({ENV_FILE: str(self.config)} if self.config else {}),
            **self.environ,
        }


def configured_plan(home: Path, config: Path | None, replicas: Mapping[str, int]) -> Plan:
    """The mesh as qmtl.toml and the environment say; further replicas of a service get free ports.

    Raises InvalidRequest (E_CONFIG, E_REPLICAS).
    """
    mesh = load_mesh(read_tree(config))
    if mesh.profile != "dev":
        raise InvalidRequest(
            "E_CONFIG", f"mesh.profile is {mesh.profile}, want dev", hint="qmtl up runs the dev profile only"
        )
    for service in SERVICES:
        if len(addresses_of(mesh.addresses[service])) > 1 or mesh.addresses[service].startswith(DNS_SCHEME):
            named = f"mesh.addresses.{service} is {mesh.addresses[service]}"
            raise InvalidRequest("E_CONFIG", f"{named}, want one host:port", hint="qmtl up --replicas adds others")
    places = [
        Place(
            service, service, mesh.addresses[service], split_address(mesh.addresses[service])[1] + METRICS_PORT_OFFSET
        )
        for service in SERVICES
    ]
    return _with_nats(home, mesh, [*places, *_replica_places(replicas)], config)


def free_plan(home: Path, config: Path | None = None, replicas: Mapping[str, int] | None = None) -> Plan:
    """A mesh on free ports, for tests and demos beside another one."""
    ports = free_ports(2 * len(SERVICES) + 1)
    pairs = zip(ports[1::2], ports[2::2], strict=True)
    places = [
        Place(service, service, f"127.0.0.1:{port}", metrics)
        for service, (port, metrics) in zip(SERVICES, pairs, strict=True)
    ]
    mesh = MeshSettings(nats_url=f"nats://127.0.0.1:{ports[0]}")
    return _with_nats(home, mesh, [*places, *_replica_places(replicas or {})], config)


def _default_place(service: str, address: str) -> Place:
    return Place(service, service, address, split_address(address)[1] + METRICS_PORT_OFFSET)


def _with_nats(home: Path, mesh: MeshSettings, places: list[Place], config: Path | None) -> Plan:
    given = os.environ.get(NATS_URL_VARIABLE, "")
    return Plan(home.absolute(), given or mesh.nats_url, not given, tuple(places), config, mesh=mesh)


def _replica_places(replicas: Mapping[str, int]) -> list[Place]:
    wrong = [f"{name}={count}" for name, count in replicas.items() if name not in SERVICES or count < 1]
    if wrong or sum(replicas.values()) > REPLICAS_MAX:
        raise InvalidRequest(
            "E_REPLICAS", f"replicas is {wrong or dict(replicas)}, want SERVICE=N, at most {REPLICAS_MAX} in all"
        )
    extra = [(name, number) for name, count in replicas.items() for number in range(2, count + 1)]
    ports = free_ports(2 * len(extra))
    return [
        Place(f"{name}-{number}", name, f"127.0.0.1:{ports[2 * at]}", ports[2 * at + 1])
        for at, (name, number) in enumerate(extra)
    ]


def import_roots() -> list[str]:
    """Where this process finds the project's packages, beyond what every Python of this environment knows."""
    known = {sysconfig.get_path(key) for key in ("stdlib", "platstdlib", "purelib", "platlib")}
    known |= {str(Path(sysconfig.get_path("platstdlib")) / "lib-dynload")}
    entries = [os.path.abspath(entry) for entry in sys.path if entry]
    return [entry for entry in entries if os.path.isdir(entry) and entry not in known]
