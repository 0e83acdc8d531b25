"""Who runs where: spread over the hosts, ports that do not meet, replicas only where state is shared."""

from __future__ import annotations

from pathlib import Path

import pytest

from qmtl.cli.prod.topology import NATS, read_topology, topology, topology_text
from qmtl.core.errors import InvalidRequest, NotFound

HOSTS = ("10.0.0.1", "10.0.0.2", "10.0.0.3")


def test_processes_are_spread_over_the_hosts_and_their_ports_never_meet() -> None:
    mesh = topology(HOSTS, "postgresql://h", "a", {"gateway": 3}, 7700)
    assert [node.host for node in mesh.of(NATS)] == list(HOSTS)
    assert [one.host for one in mesh.of("gateway")] == list(HOSTS)
    assert [one.host for one in mesh.of("worldservice")] == list(HOSTS[:2])
    taken = [(one.host, port) for one in mesh.processes for port in (one.port, one.side_port)]
    assert len(set(taken)) == len(taken) == 26
    assert min(port for _, port in taken) == 7700
    assert mesh.addresses("dagmanager").count(",") == 1
    assert topology(("::1",), "d", "a", {}, 1).of("gateway")[0].address.startswith("[::1]:")


@pytest.mark.parametrize(
    ("hosts", "replicas", "port", "named"),
    [
        ((), {}, 7700, "--host is not given"),
        (("gw.example",), {}, 7700, "--host is 'gw.example', want an IP address"),
        (HOSTS, {"brokerage": 2}, 7700, "--replicas is brokerage=2, want 1"),
        (HOSTS, {"gateway": 0}, 7700, "--replicas is gateway=0, want at least 1"),
        (HOSTS[:1], {}, 65_520, "--port is 65520, want a port that leaves 24 above it"),
    ],
)
def test_what_cannot_be_is_refused_by_name(
    hosts: tuple[str, ...], replicas: dict[str, int], port: int, named: str
) -> None:
    with pytest.raises(InvalidRequest, match=named):
        topology(hosts, "d", "a", replicas, port)


def test_the_highest_port_that_fits_is_taken() -> None:
    mesh = topology(HOSTS[:1], "d", "a", {}, 65_512)
    assert max(one.side_port for one in mesh.processes) == 65_535
    with pytest.raises(InvalidRequest):
        topology(HOSTS[:1], "d", "a", {}, 65_513)


def test_a_topology_is_read_as_it_was_written(tmp_path: Path) -> None:
    mesh = topology(HOSTS, "postgresql://h", "a", {}, 7700)
    (tmp_path / "mesh.json").write_text(topology_text(mesh))
    assert read_topology(tmp_path) == mesh
    for text in ("{}", "[", '{"processes": [{"x": 1}], "database": "", "artifacts": ""}'):
        (tmp_path / "mesh.json").write_text(text)
        with pytest.raises(NotFound, match="E_PROD_FOLDER"):
            read_topology(tmp_path)
