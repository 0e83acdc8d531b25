"""The `qmtl` command: where its parts hang, and the one place where errors become text and exit codes.

Heavy imports stay inside the commands so that `--help` and shell completion are fast.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

from qmtl.cli import bus, config, mesh, strategy, world

if TYPE_CHECKING:
    from qmtl.core.errors import QmtlError

app = typer.Typer(
    name="qmtl",
    help="Run and look at a mesh for trading strategies: one graph, many worlds, safe promotion.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
)
mesh.attach(app)
app.add_typer(world.app, name="world", help="Worlds: create, policies, decisions, activation.")
app.add_typer(strategy.app, name="strategy", help="Submitted strategies.")
app.add_typer(bus.app, name="bus", help="The control bus: tail, streams, dead letters.")
app.add_typer(config.app, name="config", help="Configuration: generate, validate, show.")


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
    """An error for a person: reason, message, each violation when there are several, the hint."""
    lines = [f"error: {error.reason}: {error.message}"]
    lines += [f"  {violation}" for violation in error.violations if len(error.violations) > 1]
    return "\n".join([*lines, *([f"  hint: {error.hint}"] if error.hint else [])])


if __name__ == "__main__":
    main()
