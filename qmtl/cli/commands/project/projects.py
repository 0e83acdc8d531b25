"""`qmtl project`: make a strategy project, show what became of it, bring it up to date."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from qmtl.cli.commands.project.changes import Ours, Theirs, Yes, asked_for_layers, carry_out, known, pairs
from qmtl.core.errors import NotReady
from qmtl.project.metadata import Preset
from qmtl.project.operations import Project, first_commands, new_project, planned, version_steps, whole, with_answers
from qmtl.project.parameters import parsed_answers
from qmtl.project.project_file import RUNNING, Used
from qmtl.project.selection import Selection, select
from qmtl.project.shelf import Shelf
from qmtl.project.writing import require_empty

Place = Annotated[Path, typer.Option("--path", help="The project's folder.")]
Set = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="An answer. Repeatable.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


def init(
    path: Annotated[Path | None, typer.Option("--path", help="Folder to make; absent or empty.")] = None,
    preset: Annotated[str, typer.Option("--preset", help="A choice of layers: `qmtl project list-presets`.")] = "",
    layers: Annotated[str, typer.Option("--layers", metavar="A,B", help="Layers instead of a preset's.")] = "",
    template: Annotated[
        list[str] | None, typer.Option("--template", metavar="LAYER=NAME", help="A layer's template. Repeatable.")
    ] = None,
    answers: Set = None,
    with_requires: Annotated[
        bool, typer.Option("--with-requires", help="Add layers that the chosen ones need, and say which.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the files; write nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Make a project from layers, ready to test and to run."""
    shelf = known()
    given = pairs(answers, "--set")
    if not (preset or layers) and sys.stdin.isatty():
        preset = typer.prompt("Preset", default="minimal")
        given.setdefault("name", typer.prompt("Name", default=path.name if path else "my-strategy"))
        given.setdefault("world", typer.prompt("World", default="research"))
    chosen = [part.strip() for part in layers.split(",") if part.strip()]
    named = pairs(template, "--template")
    preset = preset or ("" if chosen else "minimal")
    folder = path or Path(given.get("name", "my-strategy"))
    selection = asked_for_layers(
        partial(select, shelf, RUNNING, preset=preset, layers=chosen, named=named),
        with_requires,
        f"{_typed(folder, preset, chosen, named, given)} --with-requires",
    )
    selection = replace(selection, answers={**selection.answers, **parsed_answers(selection.parameters, given)})
    if dry_run:
        require_empty(folder)
    files = whole(selection) if dry_run else new_project(folder, selection)
    typer.echo(_made(folder, selection, files, chosen, dry_run=dry_run, as_json=as_json))


def _typed(folder: Path, preset: str, layers: Sequence[str], named: Mapping[str, str], given: Mapping[str, str]) -> str:
    """The command as a person types it."""
    words = ["qmtl", "project", "init", "--path", str(folder)]
    words += ["--preset", preset] if preset else []
    words += ["--layers", ",".join(layers)] if layers else []
    words += [word for key, value in named.items() for word in ("--template", f"{key}={value}")]
    words += [word for key, value in given.items() for word in ("--set", f"{key}={value}")]
    return shlex.join(words)


def _made(
    folder: Path, selection: Selection, files: Mapping[str, bytes], chosen: list[str], *, dry_run: bool, as_json: bool
) -> str:
    layers = [layer.value for layer in selection.templates]
    if as_json:
        document = {"path": str(folder), "written": not dry_run, "layers": layers, "files": sorted(files)}
        return json.dumps(document, indent=2)
    added = [layer for layer in layers if chosen and layer not in chosen]
    lines = [f"added {layer}: the chosen layers need it" for layer in added]
    lines += [f"  {path}" for path in sorted(files)]
    said = "would be made" if dry_run else "made"
    lines.append(f"{folder} {said}: {len(files)} files, layers {', '.join(layers)}")
    if not dry_run:
        lines += ["next:", f"  cd {shlex.quote(str(folder))}", *(f"  {line}" for line in first_commands(files))]
    return "\n".join(lines)


def list_presets(as_json: Json = False) -> None:
    """Presets: choices of layers and templates that fit each other."""
    presets = known().presets
    if as_json:
        found = [_preset(one, str(source)) for one, source in presets.values()]
        typer.echo(json.dumps(found, indent=2))
        return
    for name, (one, source) in presets.items():
        typer.echo(f"{name}  {one.summary} [{source}]")
        typer.echo("  " + ", ".join(f"{layer}/{template}" for layer, template in one.templates.items()))


def _preset(preset: Preset, source: str) -> dict[str, object]:
    layers = {str(layer): template for layer, template in preset.templates.items()}
    return {"name": preset.name, "summary": preset.summary, "source": source, "layers": layers}


def show(path: Place = Path(), as_json: Json = False) -> None:
    """What a project was made of, and which files are no longer as they were rendered."""
    project = Project.opened(path)
    file = project.file
    document = {
        "qmtl": file.qmtl,
        "preset": file.preset,
        "templates": {place: _used(used) for place, used in file.templates.items()},
        "additions": [_used(used) for used in file.additions],
        "answers": dict(file.answers),
        "changed": project.changed,
    }
    if as_json:
        typer.echo(json.dumps(document, indent=2))
        return
    typer.echo(f"qmtl {file.qmtl}, preset {file.preset or 'none'}")
    for heading in ("templates", "answers", "changed"):
        rows = document[heading]
        typer.echo(f"{heading}:")
        for name, value in rows.items() if isinstance(rows, dict) else ():
            typer.echo(f"  {name:16} {value}")
    typer.echo("\n".join(f"  addition         {one}" for one in document["additions"]))


def _used(used: Used) -> str:
    return f"{used.template} {used.version} [{used.source}]"


def diff(path: Place = Path(), answers: Set = None) -> None:
    """What an update would change, without writing it."""
    shelf, project = known(), Project.opened(path)
    plan = planned(project, _changed(shelf, project, answers))
    carry_out(plan, steps=version_steps(project, plan.selection), write=False, yes=False)


def update(
    path: Place = Path(),
    to: Annotated[str, typer.Option("--to", help="Version of qmtl; only the installed one renders.")] = "",
    answers: Set = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 when an update waits.")] = False,
    theirs: Theirs = None,
    ours: Ours = None,
    yes: Yes = False,
) -> None:
    """Bring in what is new in the templates, and changed answers; what the author wrote is kept or marked."""
    if to and to != RUNNING:
        raise NotReady("E_PROJECT_NEWER", f"--to is {to}, this is qmtl {RUNNING}", hint=f"pip install qmtl=={to}")
    shelf, project = known(), Project.opened(path)
    plan = planned(project, _changed(shelf, project, answers), theirs or (), ours or ())
    if check:
        typer.echo("an update waits" if plan.waits else "up to date")
        sys.exit(1 if plan.waits else 0)
    carry_out(plan, steps=version_steps(project, plan.selection), write=True, yes=yes)


def _changed(shelf: Shelf, project: Project, answers: list[str] | None) -> Selection:
    parameters = with_answers(shelf, project, {}).parameters
    return with_answers(shelf, project, parsed_answers(parameters, pairs(answers, "--set")))
