"""The `qmtl` command, and the one place where errors become text and exit codes."""

from __future__ import annotations

import sys

import typer

from qmtl.cli.command_table import Group
from qmtl.core.errors import NotBuilt, QmtlError

app = typer.Typer(name="qmtl", pretty_exceptions_enable=False, add_completion=True)


@app.callback(cls=Group, no_args_is_help=True)
def qmtl() -> None:
    """Run a mesh of trading strategies: submit them, have them judged, let them trade, and see what they do."""


def main() -> None:
    """Entry point. Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 130 interrupted."""
    try:
        app()
    except QmtlError as error:
        typer.echo(explain(error), err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        typer.echo("interrupted", err=True)
        sys.exit(130)


def explain(error: QmtlError) -> str:
    """An error for a person on one line: reason, message, hint. Several violations follow on lines of their own."""
    if isinstance(error, NotBuilt):
        return f"error: {error.reason}: not built yet: {error.metadata.get('part') or error.message}"
    advice = "add --allow-live if that is meant" if error.reason == "E_LIVE_GUARD" else error.hint
    hint = f" (hint: {advice})" if advice else ""
    violations = [f"  {violation}" for violation in error.violations if len(error.violations) > 1]
    notes = [f"  {note}" for note in getattr(error, "__notes__", ())]
    return "\n".join([f"error: {error.reason}: {error.message}{hint}", *violations, *notes])


if __name__ == "__main__":
    main()
