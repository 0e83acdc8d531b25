"""The text of each configuration file of a mesh: qmtl.toml of a service, nats.conf of a node, SQL of the databases."""

from __future__ import annotations

import json
from collections.abc import Mapping

from sqlalchemy import make_url

from controlbus.jetstream.permissions import authorization
from qmtl.cli.local.nats_server import MAX_PAYLOAD_BYTES
from qmtl.cli.prod.topology import NATS, Process, Topology
from qmtl.config.settings import SERVICES
from qmtl.rpc.auth.keys import SERVICE_AUDIENCE, USER_AUDIENCE

ISSUER = "qmtl-mesh"
HEAD = """\
# {name}: start it in this folder with `python -m {service}`; paths here are relative to it.
# The environment wins over this file (QMTL__{upper}__KEY=...); `qmtl config generate` shows every key at its default,
# `qmtl config validate` logs in everywhere as this process would.
"""
NOTES = {
    "home": "what this process alone keeps; its service token is in home/tokens",
    "nats_url": "every node of the broker; a connection goes to one of them and to another when that fails",
    "nats_ca": "whom to trust as a node of the broker",
    "stream_replicas": "how many nodes hold each stream: with 3, one may be lost",
    "addresses": "every replica of every service; dns:///name:port where a name stands for them",
    "issuers": "who may sign tokens, of services and of users; add your own by its JWKS, a file or an https URL",
    "bind": "where this process listens",
    "public_address": "what clients are told of this gateway, for streams they resume",
    "fallback_address": "the gateway they may move to",
    "metrics_port": "Prometheus: https with this process's certificate and the bearer token of metrics_token",
    "database_url": "its database, which all replicas of the service share",
    "tls_cert": "renewed by `qmtl prod certs renew`, taken without a restart",
    "tls_client_ca": "who may call, and whom to trust",
    "nats_credentials": "this service's key at the broker",
    "artifacts_url": "archives and snapshots: a folder or bucket (fsspec URL) that every dagmanager reaches",
}


def service_toml(mesh: Topology, process: Process) -> str:
    """qmtl.toml of one process."""
    service = process.kind
    issuers = [{"issuer": ISSUER, "jwks": "jwks.json", "audience": name} for name in (SERVICE_AUDIENCE, USER_AUDIENCE)]
    shared = {
        "profile": "prod",
        "home": "home",
        "nats_url": ",".join(f"tls://{node.address}" for node in mesh.of(NATS)),
        "nats_ca": "ca.pem",
        "stream_replicas": len(mesh.of(NATS)),
        "addresses": {name: mesh.addresses(name) for name in SERVICES},
        "issuers": issuers,
    }
    own: dict[str, object] = {
        "bind": process.address,
        "metrics_port": process.side_port,
        "metrics_token": "metrics.token",
        "database_url": database_url(mesh.database, service),
        "tls_cert": "tls.crt",
        "tls_key": "tls.key",
        "tls_client_ca": "ca.pem",
        "nats_credentials": "nats.nk",
    }
    if service == "gateway":
        own["public_address"] = process.address
        others = [other for other in mesh.of("gateway") if other != process]
        own["fallback_address"] = others[0].address if others else ""
    if service == "dagmanager":
        own["artifacts_url"] = mesh.artifacts
    head = HEAD.format(name=process.name, service=service, upper=service.upper())
    return f"{head}\n[mesh]\n{_lines(shared)}\n[{service}]\n{_lines(own)}"


def nats_conf(mesh: Topology, node: Process, public_keys: Mapping[str, str]) -> str:
    """nats.conf of one node: TLS for everybody, certificates between nodes, one user with least rights per service."""
    routes = [f"tls://{_place(other.host, other.side_port)}" for other in mesh.of(NATS) if other != node]
    pair = 'cert_file: "tls.crt", key_file: "tls.key", ca_file: "ca.pem"'
    return (
        f"# {node.name}: start it in this folder with `nats-server -c nats.conf`; after `qmtl prod certs renew`\n"
        f"# `nats-server --signal reload=$(cat nats.pid)` makes it read its files again.\n"
        f'server_name: "{node.name}"\nlisten: "{node.address}"\nmax_payload: {MAX_PAYLOAD_BYTES}\n'
        f'pid_file: "nats.pid"\njetstream {{ store_dir: "store" }}\ntls {{ {pair} }}\n'
        f'cluster {{\n  name: "qmtl"\n  listen: "{_place(node.host, node.side_port)}"\n  no_advertise: true\n'
        f"  tls {{ {pair}, verify: true }}\n  routes: {json.dumps(routes)}\n}}\n{authorization(public_keys)}"
    )


def databases_sql() -> str:
    """One database per service, for `psql`."""
    return "".join(f"CREATE DATABASE {database_name(service)};\n" for service in SERVICES)


def database_name(service: str) -> str:
    """The database of a service."""
    return f"qmtl_{service}"


def database_url(server: str, service: str) -> str:
    """The URL of a service's database on the given server; user, password and query stay."""
    return make_url(server).set(database=database_name(service)).render_as_string(hide_password=False)


def _place(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _lines(values: Mapping[str, object]) -> str:
    lines = []
    for key, value in values.items():
        if key in NOTES:
            lines.append(f"# {NOTES[key]}\n")
        lines.append(f"{key} = {_toml(value)}\n")
    return "".join(lines)


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return str(value) if isinstance(value, int) else json.dumps(str(value))
