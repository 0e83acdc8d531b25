"""A change of a project as every command shows, asks about and writes it."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from qmtl.core.errors import Conflict, NotReady, refused
from qmtl.project.merging import Change, Outcome
from qmtl.project.operations import Plan
from qmtl.project.selection import Selection
from qmtl.project.shelf import Shelf, installed_shelf
from qmtl.project.validation.validate import findings

Theirs = Annotated[
    list[str] | None, typer.Option("--theirs", metavar="FILE", help="Take the template's file. Repeatable.")
]
Ours = Annotated[list[str] | None, typer.Option("--ours", metavar="FILE", help="Keep the author's file. Repeatable.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Write without asking.")]


def pairs(given: Sequence[str] | None, option: str) -> dict[str, str]:
    """Options of the form KEY=VALUE. Raises InvalidRequest (E_FIELD)."""
    found = {}
    for text in given or ():
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise refused("E_FIELD", option, text, "KEY=VALUE")
        found[key] = value
    return found


def known() -> Shelf:
    """Templates and presets of this package and of others; what of those cannot be used is said on standard error."""
    shelf = installed_shelf()
    for fault in shelf.faults:
        typer.echo(f"warning: {fault}", err=True)
    return shelf


def asked_for_layers(choose: Callable[..., Selection], with_requires: bool, command: str) -> Selection:
    """A selection; layers that it lacks are asked about on a terminal.

    Raises as `choose`; NotReady (E_LAYER_REQUIRES) has the `command` that adds them as its hint.
    """
    try:
        return choose(with_requires=with_requires)
    except NotReady as error:
        if error.reason != "E_LAYER_REQUIRES":
            raise
        if sys.stdin.isatty() and typer.confirm(f"{error.message}. Add {error.metadata['layers']} too?"):
            return choose(with_requires=True)
        error.hint = command
        raise


def carry_out(plan: Plan, *, steps: Sequence[str] = (), write: bool, yes: bool) -> None:
    """Show a change, ask unless `yes`, write it, and say what validation finds.

    Raises Conflict: E_PROJECT_DIRTY (nobody to ask), E_MERGE_CONFLICT (written, and two changes met).
    """
    for step in steps:
        typer.echo(step)
    for change in plan.changes:
        typer.echo(f"{change.outcome.value:14} {change.path}")
    if not plan.waits:
        typer.echo("up to date: nothing to write")
        return
    typer.echo(_differences(plan), nl=False)
    if not write:
        return
    if not yes:
        if not sys.stdin.isatty():
            raise Conflict("E_PROJECT_DIRTY", "the change is shown and nobody can be asked", hint="--yes writes it")
        if not typer.confirm("Write it?"):
            typer.echo("nothing was written")
            return
    backup = plan.write()
    if backup is not None:
        typer.echo(f"the old files are in {backup}")
    report(plan.project.folder)
    if plan.conflicts:
        message = f"both changed the same lines of {', '.join(plan.conflicts)}; both are there, between markers"
        raise Conflict("E_MERGE_CONFLICT", message, hint="edit them, or --theirs FILE and --ours FILE decide one")


def report(folder: Path) -> bool:
    """Print what validation finds; whether nothing of it is an error."""
    found = findings(folder, installed_shelf())
    for one in found:
        typer.echo(str(one))
    errors = sum(one.error for one in found)
    typer.echo(f"validate: {errors} errors, {len(found) - errors} warnings")
    return not errors


def _differences(plan: Plan) -> str:
    writes = [change for change in plan.changes if change.writes]
    ours = plan.project.content(change.path for change in writes)
    return "".join(_difference(change, ours.get(change.path, b"")) for change in writes)


def _difference(change: Change, before: bytes) -> str:
    if change.outcome is Outcome.REMOVED:
        return f"--- {change.path}\n+++ none\n"
    old, new = before.decode(errors="replace").splitlines(True), (change.content or b"").decode(errors="replace")
    lines = list(difflib.unified_diff(old, new.splitlines(True), change.path, change.path))
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)
