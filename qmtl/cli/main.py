"""The `qmtl` command: where its parts hang, and the one place where errors become text and exit codes.

Heavy imports stay inside the commands so that `--help` and shell completion are fast.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

from qmtl.cli.commands.data import datasets
from qmtl.cli.commands.graph import graph, queues
from qmtl.cli.commands.graph import records as queue_
from qmtl.cli.commands.mesh import bus, processes
from qmtl.cli.commands.mesh import config as mesh_config
from qmtl.cli.commands.mesh import status as mesh_status
from qmtl.cli.commands.strategy import strategies, submit
from qmtl.cli.commands.trading import orders
from qmtl.cli.commands.world import edges, evaluation, members, worlds
from qmtl.cli.commands.world import events as world_events

if TYPE_CHECKING:
    from qmtl.core.errors import QmtlError

app = typer.Typer(
    name="qmtl",
    help="Run and look at a mesh for trading strategies: one graph, many worlds, safe promotion.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
)
processes.attach(app)
app.command()(mesh_status.status)
app.command()(submit.submit)
app.command()(orders.portfolio)
app.command()(queues.gc)
worlds.app.add_typer(edges.app, name="edge", help="Edges of the graph as one world has them.")
evaluation.attach(worlds.app)
members.attach(worlds.app)
app.add_typer(worlds.app, name="world", help="Worlds: policies, decisions, activation, apply, roles, audit.")
app.add_typer(strategies.app, name="strategy", help="Submitted strategies.")
app.add_typer(graph.app, name="graph", help="The graph: draw a strategy, look at a node, snapshots.")
app.add_typer(queues.app, name="queues", help="Queues of the graph: list, show, statistics.")
app.add_typer(queue_.app, name="queue", help="The outputs of one node.")
app.add_typer(queues.sentinel, name="sentinel", help="Versions of a strategy and their share of traffic.")
app.add_typer(world_events.app, name="events", help="What happens in a world.")
app.add_typer(orders.app, name="orders", help="Orders: list, show, cancel.")
app.add_typer(datasets.app, name="data", help="Market data: catalogue, presets, coverage, conformance.")
app.add_typer(bus.app, name="bus", help="The control bus: tail, streams, dead letters.")
app.add_typer(mesh_config.app, name="config", help="Configuration: generate, validate, show.")


def main() -> None:
    """Entry point. Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 130 interrupted."""
    from qmtl.core.errors import QmtlError

    try:
        app()
    except QmtlError as error:
        typer.echo(explain(error), err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def explain(error: QmtlError) -> str:
    """An error for a person on one line: reason, message, hint. Several violations follow on lines of their own."""
    from qmtl.core.errors import NotBuilt

    if isinstance(error, NotBuilt):
        return f"error: {error.reason}: not built yet: {error.metadata.get('part') or error.message}"
    advice = "add --allow-live if that is meant" if error.reason == "E_LIVE_GUARD" else error.hint
    hint = f" (hint: {advice})" if advice else ""
    violations = [f"  {violation}" for violation in error.violations if len(error.violations) > 1]
    return "\n".join([f"error: {error.reason}: {error.message}{hint}", *violations])


if __name__ == "__main__":
    main()
