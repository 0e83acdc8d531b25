"""`qmtl up` and `qmtl down`: start and stop a local mesh."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path
from typing import Annotated

import typer

from qmtl.cli.local.background import READY, start_in_background
from qmtl.cli.local.config_check import refuse_wrong
from qmtl.cli.local.layout import Plan, configured_plan, free_plan
from qmtl.cli.local.shutdown import ask_to_stop, stop_processes
from qmtl.cli.local.supervisor import Mesh
from qmtl.cli.options import Config, Home
from qmtl.config.home import alive, find_home, live_record, read_record
from qmtl.core.errors import InvalidRequest
from qmtl.core.tasks.ending import end
from qmtl.rpc.telemetry import logs

DOWN_TIMEOUT_S = 40.0


def up(
    home: Home = None,
    config: Config = None,
    replicas: Annotated[list[str] | None, typer.Option(help="SERVICE=N, for example gateway=2. Repeatable.")] = None,
    free: Annotated[bool, typer.Option("--free-ports", help="Use free ports instead of the configured ones.")] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Return once it is ready; `qmtl down` stops it.")] = False,
) -> None:
    """Start nats-server and every service, keep them running, stop all on Ctrl-C."""
    counts = dict(_replica(text) for text in replicas or [])
    refuse_wrong(config)
    if detach:
        typer.echo(_detached(home, config, replicas or [], free=free))
        return
    plan = (free_plan if free else configured_plan)(find_home(home, config), config, counts)
    logs.configure("qmtl up", level="ERROR", style="console")  # what it has to say is printed
    asyncio.run(_supervise(plan))


def _detached(home: Path | None, config: Path | None, replicas: list[str], *, free: bool) -> str:
    options = [f"--replicas={text}" for text in replicas] + ["--free-ports"] * free
    options += [f"--{name}={path}" for name, path in (("home", home), ("config", config)) if path is not None]
    said = start_in_background(find_home(home, config), options)
    return said.replace("ctrl-C stops it", "`qmtl down` stops it")


async def _supervise(plan: Plan) -> None:
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
        typer.echo(f"{READY} in {took_s:.1f} s, gateway at {mesh.address('gateway')}; ctrl-C stops it")
        await stopped
        typer.echo("stopping")
        await mesh.stop()
    else:
        await end(starting)
    typer.echo("stopped")


def down(home: Home = None, config: Config = None) -> None:
    """Stop the mesh that runs in this home."""
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


def _replica(text: str) -> tuple[str, int]:
    name, _, count = text.partition("=")
    if not count.isdecimal():
        raise InvalidRequest("E_REPLICAS", f"replicas is {text!r}, want SERVICE=N")
    return name, int(count)
