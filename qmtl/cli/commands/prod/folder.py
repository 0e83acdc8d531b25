"""`qmtl prod`: certificates, keys, tokens and configuration of a scaled-out mesh, made and renewed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from qmtl.cli.local.logins import without_password
from qmtl.cli.options import TokenRoleName
from qmtl.cli.prod import folder as prodfolder
from qmtl.cli.prod.topology import read_topology, topology
from qmtl.cli.show.tables import show_table
from qmtl.core.errors import InvalidRequest
from qmtl.core.roles import Role

PORT = 7700
Dir = Annotated[Path, typer.Option("--dir", help="The operator's folder of the mesh; it holds what signs.")]
Days = Annotated[int, typer.Option(min=1, max=825, help="How many days they last.")]


def init(
    dir: Dir,
    database: Annotated[str, typer.Option(help="postgresql://user:password@host:port of the databases.")],
    host: Annotated[
        list[str], typer.Option(help="IP address of a machine. Repeatable; processes are spread over them.")
    ],
    replicas: Annotated[list[str] | None, typer.Option(help="SERVICE=N, for example gateway=3. Repeatable.")] = None,
    port: Annotated[int, typer.Option(min=1, max=65_000, help="First port on each machine.")] = PORT,
    artifacts: Annotated[
        str, typer.Option(help="fsspec URL every dagmanager reaches. Default on one machine: DIR/artifacts.")
    ] = "",
    days: Annotated[int, typer.Option(min=1, max=825, help="How many days certificates last.")] = 90,
) -> None:
    """Make a folder for each process of a scaled-out mesh: certificates, keys, tokens, nats.conf, qmtl.toml."""
    if not database.startswith("postgresql"):
        raise InvalidRequest("E_CONFIG", f"--database is {without_password(database)}, want postgresql://...")
    place = dir.absolute()
    if len(host) > 1 and not artifacts:
        raise InvalidRequest(
            "E_CONFIG", "--artifacts is not given, want a folder or bucket that every dagmanager reaches"
        )
    shared = artifacts or str(place / "artifacts")
    mesh = topology(tuple(host), database, shared, _replicas(replicas or []), port)
    prodfolder.make(place, mesh, _now(), timedelta(days=days), timedelta(days=30))
    rows = [
        (one.name, one.address, "nats-server -c nats.conf" if one.kind == "nats" else f"python -m {one.kind}")
        for one in mesh.processes
    ]
    show_table(f"start each in its folder below {place}", ("folder", "listens at", "command"), rows)
    typer.echo(f"databases: psql {without_password(database)} -f {place / 'databases.sql'}")


def renew_certs(
    dir: Dir, days: Days = 90, new_keys: Annotated[bool, typer.Option("--new-keys", help="Also new keys.")] = False
) -> None:
    """Write a new certificate into the folder of each process; services take them without a restart."""
    _show(
        "certificates",
        prodfolder.renew_certificates(dir, read_topology(dir), _now(), timedelta(days=days), new_keys=new_keys),
    )


def renew_tokens(dir: Dir, days: Days = 30) -> None:
    """Write a new service token into the folder of each service process; they take it without a restart."""
    _show("service tokens", prodfolder.renew_service_tokens(dir, read_topology(dir), _now(), timedelta(days=days)))


def user(
    dir: Dir,
    subject: Annotated[str, typer.Option(help="Who the token names.")],
    role: Annotated[
        TokenRoleName, typer.Option(help="Role in the whole mesh; none: the user's grants decide.")
    ] = TokenRoleName.READER,
    world: Annotated[list[str] | None, typer.Option(help="Limit the token to this world. Repeatable.")] = None,
    days: Days = 1,
) -> None:
    """Print a user's token of the mesh's own issuer, for a mesh without another one."""
    typer.echo(prodfolder.user_token(dir, Role[role.name], subject, world, _now(), timedelta(days=days)))


def _show(title: str, ends: Mapping[str, datetime]) -> None:
    show_table(title, ("folder", "valid until"), [(name, f"{at:%Y-%m-%d %H:%M} UTC") for name, at in ends.items()])


def _replicas(texts: list[str]) -> dict[str, int]:
    counts = {}
    for text in texts:
        name, _, count = text.partition("=")
        if not count.isdecimal():
            raise InvalidRequest("E_REPLICAS", f"replicas is {text!r}, want SERVICE=N")
        counts[name] = int(count)
    return counts


def _now() -> datetime:
    return datetime.now(UTC)
