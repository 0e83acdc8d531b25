"""`qmtl project layer`: add a layer, take one away, list them, validate what they became."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from qmtl.cli.commands.project.changes import Yes, carry_out, report
from qmtl.cli.commands.project.projects import Json, Place
from qmtl.core.errors import NotReady
from qmtl.project.layers import FACTS, Layer, layer_named
from qmtl.project.operations import Project, planned, with_layer, without_layer
from qmtl.project.selection import Selection
from qmtl.project.shelf import Shelf, installed_shelf
from qmtl.project.validation.validate import findings

Name = Annotated[str, typer.Argument(metavar="LAYER", help=f"One of {', '.join(Layer)}.")]


def add(
    layer: Name,
    path: Place = Path(),
    template: Annotated[str, typer.Option("--template", help="Its template. Default: the layer's first.")] = "",
    with_requires: Annotated[
        bool, typer.Option("--with-requires", help="Add layers that it needs as well, and say which.")
    ] = False,
    theirs: Annotated[
        list[str] | None, typer.Option("--theirs", metavar="FILE", help="Take the template's file. Repeatable.")
    ] = None,
    ours: Annotated[
        list[str] | None, typer.Option("--ours", metavar="FILE", help="Keep the author's file. Repeatable.")
    ] = None,
    yes: Yes = False,
) -> None:
    """Add a layer to a project."""
    shelf, project = installed_shelf(), Project.opened(path)
    selection = _with(shelf, project, layer_named(layer), template, with_requires=with_requires)
    for added in selection.templates:
        if added not in project.layers and added != layer:
            typer.echo(f"added {added}: {layer} needs it")
    carry_out(planned(project, selection, theirs or (), ours or ()), write=True, yes=yes)


def _with(shelf: Shelf, project: Project, layer: Layer, template: str, *, with_requires: bool) -> Selection:
    try:
        return with_layer(shelf, project, layer, template, with_requires=with_requires)
    except NotReady as error:
        if error.reason != "E_LAYER_REQUIRES":
            raise
        question = f"{error.message}. Add {error.metadata['layers']} too?"
        if sys.stdin.isatty() and typer.confirm(question):
            return with_layer(shelf, project, layer, template, with_requires=True)
        error.hint = f"qmtl project layer add {layer} --path {project.folder} --with-requires"
        raise


def remove(layer: Name, path: Place = Path(), yes: Yes = False) -> None:
    """Take a layer from a project; files that the author changed stay and are named."""
    shelf, project = installed_shelf(), Project.opened(path)
    carry_out(planned(project, without_layer(shelf, project, layer_named(layer))), write=True, yes=yes)


def list_layers(
    templates: Annotated[bool, typer.Option("--show-templates", help="Templates of each layer too.")] = False,
    requires: Annotated[bool, typer.Option("--show-requires", help="What each layer needs too.")] = False,
    as_json: Json = False,
) -> None:
    """The layers that a project can have."""
    shelf = installed_shelf()
    rows = []
    for layer, facts in FACTS.items():
        row: dict[str, object] = {"layer": layer.value, "summary": facts.summary, "function": facts.function}
        if requires or as_json:
            row["requires"] = [need.value for need in facts.needs]
        if templates or as_json:
            known = [one for one in shelf.templates.values() if one.facts.place == layer]
            row["templates"] = {one.facts.name: f"{one.facts.summary} [{one.source}]" for one in known}
        rows.append(row)
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        needs = f" (needs {', '.join(FACTS[Layer(str(row['layer']))].needs) or 'nothing'})" if requires else ""
        typer.echo(f"{row['layer']:11} {row['summary']}{needs}")
        shown = row.get("templates")
        for name, summary in shown.items() if isinstance(shown, dict) else ():
            typer.echo(f"  {name:18} {summary}")


def validate(path: Place = Path(), as_json: Json = False) -> None:
    """Whether a project keeps the rules of its layers; 1 where one is broken."""
    if as_json:
        found = findings(path, installed_shelf())
        typer.echo(json.dumps([one.document for one in found], indent=2))
        passed = not any(one.error for one in found)
    else:
        passed = report(path)
    if not passed:
        sys.exit(1)
