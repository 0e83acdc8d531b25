"""`qmtl up`, `down` and `token`: the local mesh as a person handles it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from qmtl.cli.options import Config, Home, RoleName

if TYPE_CHECKING:
    from datetime import timedelta

    from qmtl.cli.local.layout import Plan

DOWN_TIMEOUT_S = 40.0
_TTL = re.compile(r"([1-9][0-9]{0,5})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def attach(app: typer.Typer) -> None:
    """Hang the commands on the root."""
    app.command()(up)
    app.command()(down)
    app.command()(token)


def up(
    home: Home = None,
    config: Config = None,
    replicas: Annotated[list[str] | None, typer.Option(help="SERVICE=N, for example gateway=2. Repeatable.")] = None,
    free: Annotated[bool, typer.Option("--free-ports", help="Use free ports instead of the configured ones.")] = False,
) -> None:
    """Start nats-server and every service, watch them, stop them all on ctrl-C."""
    import asyncio

    from qmtl.cli.local.config_check import refuse_wrong
    from qmtl.cli.local.layout import configured_plan, free_plan
    from qmtl.config.home import find_home

    counts = dict(_replica(text) for text in replicas or [])
    plan = (free_plan if free else configured_plan)(find_home(home, config), config, counts)
    refuse_wrong(config)
    asyncio.run(_supervise(plan))


async def _supervise(plan: Plan) -> None:
    import asyncio
    import signal
    import time

    from qmtl.cli.local.supervisor import Mesh

    started = time.monotonic()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    mesh = Mesh(plan, report=typer.echo)
    starting = asyncio.create_task(mesh.start())
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
    if starting.done():
        await starting
        took_s = time.monotonic() - started
        typer.echo(f"mesh ready in {took_s:.1f} s, gateway at {mesh.address('gateway')}; ctrl-C stops it")
        await stopped
        typer.echo("stopping")
        await mesh.stop()
    else:
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
    typer.echo("stopped")


def down(home: Home = None, config: Config = None) -> None:
    """Stop the mesh that runs in this home."""
    from qmtl.cli.local.shutdown import ask_to_stop, stop_processes
    from qmtl.config.home import alive, find_home, live_record, read_record

    place = find_home(home, config)
    record = live_record(place)
    if record is not None:
        ask_to_stop(record.supervisor, DOWN_TIMEOUT_S)
        typer.echo(f"stopped the mesh in {place}")
        return
    last = read_record(place)
    left = alive(last.processes) if last else []
    stop_processes(left)
    typer.echo(f"stopped {len(left)} processes left in {place}" if left else f"no mesh runs in {place}")


def token(
    home: Home = None,
    config: Config = None,
    role: Annotated[RoleName, typer.Option(help="Estate-wide role of a user token.")] = RoleName.OPERATOR,
    subject: Annotated[str, typer.Option(help="Who the token names. Default: dev-<role>.")] = "",
    world: Annotated[list[str] | None, typer.Option(help="Limit the token to this world. Repeatable.")] = None,
    ttl: Annotated[str, typer.Option(help="Life time: 90s, 30m, 12h, 7d.")] = "1d",
    as_service: Annotated[str, typer.Option(help="Mint a service token instead, for example: operator.")] = "",
) -> None:
    """Print a token of the local issuer, for grpcurl and other clients."""
    from qmtl.config.home import find_home
    from qmtl.config.settings import load_mesh, read_tree
    from qmtl.core.errors import InvalidRequest
    from qmtl.core.roles import Role
    from qmtl.rpc.auth.keys import ensure_dev_keys
    from qmtl.rpc.auth.tokens import mint_service_token, mint_user_token

    if load_mesh(read_tree(config)).profile != "dev":
        raise InvalidRequest("E_CONFIG", "mesh.profile is prod, want dev", hint="ask your issuer for a token")
    place = find_home(home, config)
    life = _life(ttl)
    if as_service:
        _check_service(as_service, subject, world)
        ensure_dev_keys(place)
        typer.echo(mint_service_token(place, as_service, life))
        return
    ensure_dev_keys(place)
    typer.echo(mint_user_token(place, Role[role.name], subject or f"dev-{role.value}", world or None, life))


def _check_service(name: str, subject: str, worlds: list[str] | None) -> None:
    from qmtl.core.errors import InvalidRequest
    from qmtl.rpc.rules.grants import GRANTS, is_known

    if subject or worlds:
        raise InvalidRequest("E_TOKEN_OPTIONS", "a service token has no --subject and no --world")
    if not is_known(name):
        raise InvalidRequest("E_TOKEN_OPTIONS", f"service is {name!r}, want one of {', '.join(GRANTS)}")


def _life(text: str) -> timedelta:
    from datetime import timedelta

    from qmtl.core.errors import InvalidRequest

    match = _TTL.fullmatch(text)
    if not match:
        raise InvalidRequest("E_TOKEN_OPTIONS", f"ttl is {text!r}, want for example 90s, 30m, 12h or 7d")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def _replica(text: str) -> tuple[str, int]:
    from qmtl.core.errors import InvalidRequest

    name, _, count = text.partition("=")
    if not count.isdecimal():
        raise InvalidRequest("E_REPLICAS", f"replicas is {text!r}, want SERVICE=N")
    return name, int(count)
