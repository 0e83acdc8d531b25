"""`qmtl run`: trade the strategy in a file in its world, on paper or live as the world has activated it."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Annotated

import typer

from qmtl.cli.gateway.calls import endpoint_options
from qmtl.cli.options import Access, AllowLive, with_access
from qmtl.cli.projects.loading import load_strategy
from qmtl.cli.show.formats import instant
from qmtl.cli.show.trading_run import run_document, run_line
from qmtl.sdk import Runner
from qmtl.sdk.mesh.client import Gateway
from qmtl.sdk.mesh.session.events import BarDone, SessionEvent
from qmtl.sdk.mesh.session.terms import SessionTerms

WAIT_S, OUTAGE_S = 60.0, 60.0


@with_access
def run(
    access: Access,
    place: Annotated[
        str, typer.Argument(metavar="FILE[:CLASS]", help="path/to/strategy.py, or path/to/strategy.py:Class.")
    ],
    world: Annotated[str, typer.Option("--world", help="World to run it in; it is submitted, or attached to.")],
    data: Annotated[str, typer.Option("--data", help="Data preset. Default: the world's first.")] = "",
    account: Annotated[str, typer.Option("--account", help="Account. Default: its own, live the only one.")] = "",
    until: Annotated[str, typer.Option("--until", help="End at this data time. Default: the session's end.")] = "",
    wait: Annotated[float, typer.Option(help="Seconds that an operator's activation is waited for.", min=0)] = WAIT_S,
    pace: Annotated[float, typer.Option(help="Bars per second of a replay. 0: as fast as it goes.", min=0)] = 0.0,
    outage: Annotated[float, typer.Option(help="Seconds that an unreachable mesh is waited for.", min=1)] = OUTAGE_S,
    bars: Annotated[bool, typer.Option("--bars/--no-bars", help="Also print a line for each bar.")] = True,
    allow_live: AllowLive = False,
) -> None:
    """Trade a strategy in its world, on paper or live as the world says: bars, fills, denials as they come.

    With --json one document a line, the last of them the result. Ctrl-C ends it here: what trades stays in the world.
    """
    strategy = load_strategy(place)()
    terms = SessionTerms(
        account=account,
        until=instant(until, "--until") if until else None,
        activation_wait_s=wait,
        bars_per_second=pace,
    )

    def tell(event: SessionEvent) -> None:
        if bars or not isinstance(event, BarDone):
            typer.echo(json.dumps(run_document(event), ensure_ascii=False) if access.json else run_line(event))

    result = Runner.run(
        strategy,
        world=world,
        data=data or None,
        terms=terms,
        on_event=tell,
        allow_live=allow_live,
        gateway=Gateway(**asdict(endpoint_options(access)), outage_s_max=outage),
    )
    if access.json:
        typer.echo(json.dumps({"event": "result", **json.loads(result.to_json())}, ensure_ascii=False))
    else:
        typer.echo(str(result))
    if result.not_continued and not result.not_continued.startswith("E_LIVE_GUARD"):  # live was not meant: as asked
        sys.exit(1)
