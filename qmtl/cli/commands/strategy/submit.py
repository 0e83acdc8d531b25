"""`qmtl submit`: hand the strategy in a file to a world and print what the world says."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from qmtl.cli.gateway.calls import endpoint_options
from qmtl.cli.options import Access, with_access
from qmtl.cli.projects.loading import load_strategy
from qmtl.cli.show.formats import instant
from qmtl.sdk import Runner
from qmtl.sdk.mesh.client import Gateway
from qmtl.sdk.mesh.history import History

PATIENCE_S = 20.0  # somebody waits at a terminal


@with_access
def submit(
    access: Access,
    place: Annotated[
        str, typer.Argument(metavar="FILE[:CLASS]", help="path/to/strategy.py, or path/to/strategy.py:Class.")
    ],
    world: Annotated[str, typer.Option("--world", help="World to submit to.")],
    data: Annotated[str, typer.Option("--data", help="Data preset. Default: the world's first.")] = "",
    start: Annotated[str, typer.Option(help="Evaluate bars from this time on, for example 2021-03-01.")] = "",
    end: Annotated[str, typer.Option(help="Evaluate bars before this time.")] = "",
    plot: Annotated[Path | None, typer.Option(help="Also draw the replay into this picture file.")] = None,
) -> None:
    """Submit a strategy to a world: replayed over the world's data and judged by its policy."""
    history = History(instant(start, "--start") if start else None, instant(end, "--end") if end else None)
    strategy = load_strategy(place)()
    gateway = Gateway(**asdict(endpoint_options(access)), outage_s_max=PATIENCE_S)
    result = Runner.submit(strategy, world=world, data=data or None, history=history, gateway=gateway)
    typer.echo(result.to_json() if access.json else str(result))
    if plot is not None:
        drawn = result.plot(plot)
        typer.echo(f"picture  {drawn}", err=access.json)
