"""`qmtl project layer`: add a layer, take one away, list them, validate what they became."""

from __future__ import annotations

import json
import shlex
import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from qmtl.cli.commands.project.changes import Ours, Theirs, Yes, asked_for_layers, carry_out, known, report
from qmtl.cli.commands.project.projects import Json, Place
from qmtl.project.layers import FACTS, Layer, layer_named
from qmtl.project.operations import Project, planned, with_layer, without_layer
from qmtl.project.validation.validate import findings

Name = Annotated[str, typer.Argument(metavar="LAYER", help=f"One of {', '.join(Layer)}.")]


def add(
    layer: Name,
    path: Place = Path(),
    template: Annotated[str, typer.Option("--template", help="Its template. Default: the layer's first.")] = "",
    with_requires: Annotated[
        bool, typer.Option("--with-requires", help="Add layers that it needs as well, and say which.")
    ] = False,
    theirs: Theirs = None,
    ours: Ours = None,
    yes: Yes = False,
) -> None:
    """Add a layer to a project."""
    shelf, project = known(), Project.opened(path)
    named = ["--template", template] if template else []
    selection = asked_for_layers(
        partial(with_layer, shelf, project, layer_named(layer), template),
        with_requires,
        shlex.join(["qmtl", "project", "layer", "add", layer, "--path", str(path), *named, "--with-requires"]),
    )
    for added in selection.templates:
        if added not in project.layers and added != layer:
            typer.echo(f"added {added}: {layer} needs it")
    carry_out(planned(project, selection, theirs or (), ours or ()), write=True, yes=yes)


def remove(layer: Name, path: Place = Path(), yes: Yes = False) -> None:
    """Take a layer from a project; files that the author changed stay and are named."""
    shelf, project = known(), Project.opened(path)
    carry_out(planned(project, without_layer(shelf, project, layer_named(layer))), write=True, yes=yes)


def list_layers(
    templates: Annotated[bool, typer.Option("--show-templates", help="Templates of each layer too.")] = False,
    requires: Annotated[bool, typer.Option("--show-requires", help="What each layer needs too.")] = False,
    as_json: Json = False,
) -> None:
    """The layers that a project can have."""
    shelf = known()
    rows = []
    for layer, facts in FACTS.items():
        row: dict[str, object] = {"layer": layer.value, "summary": facts.summary, "function": facts.function}
        if requires or as_json:
            row["requires"] = [need.value for need in facts.needs]
        if templates or as_json:
            offered = [one for one in shelf.templates.values() if one.facts.place == layer]
            row["templates"] = {one.facts.name: f"{one.facts.summary} [{one.source}]" for one in offered}
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
        found = findings(path, known())
        typer.echo(json.dumps([one.document for one in found], indent=2))
        passed = not any(one.error for one in found)
    else:
        passed = report(path)
    if not passed:
        sys.exit(1)
