"""`qmtl config`: write a commented qmtl.toml, check one, show what is in force."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from pydantic import BaseModel

from qmtl.cli.local.config_check import findings, read_sections, refuse_wrong, settings_class
from qmtl.cli.local.logins import Level, without_password
from qmtl.cli.options import Config, Json
from qmtl.cli.show.messages import show_json
from qmtl.cli.show.tables import show_table
from qmtl.config.files import write_private
from qmtl.config.settings import SERVICES, MeshSettings, load_mesh, read_tree
from qmtl.core.errors import Conflict, InvalidRequest, Violation

HEAD = """\
# Configuration of a QMTL mesh. Every key is optional; a commented line shows its default.
# The environment wins over this file: QMTL__<SECTION>__<KEY>, for example QMTL__GATEWAY__BIND.
"""
DERIVED = {
    "bind": "the service's entry of mesh.addresses",
    "metrics_port": "the port of bind plus 20",
    "database_url": "sqlite below home/state",
    "sqlite_synchronous": "NORMAL in dev, FULL in prod",
    "log_level": "mesh.log_level",
}


def generate(
    out: Annotated[Path | None, typer.Option("--out", help="File to write. Default: print it.")] = None,
) -> None:
    """Print a qmtl.toml with every key of every section, commented out at its default."""
    mesh = "".join(f"# {key} = {_toml(value)}\n" for key, value in MeshSettings().model_dump(mode="json").items())
    sections = {"mesh": mesh, **{name: _defaults(settings_class(name)) for name in SERVICES}}
    text = HEAD + "".join(f"\n[{name}]\n{body}" for name, body in sections.items())
    if out is None:
        typer.echo(text, nl=False)
        return
    if out.exists():
        raise Conflict("E_FILE_EXISTS", f"{out} exists", hint="remove it first, or choose another --out")
    write_private(out, text)  # whoever fills it in writes passwords of databases into it
    typer.echo(f"wrote {out}")


def validate(
    config: Config = None,
    offline: Annotated[bool, typer.Option("--offline", help="Do not ask whether dependencies answer.")] = False,
    service: Annotated[
        list[str] | None, typer.Option(help="Only this service's section. Default in prod: those the file has.")
    ] = None,
    json: Json = False,
) -> None:
    """Name unknown keys, wrong values, missing secrets and dependencies that do not let a service in.

    Each service logs in as it would: database, every server of the broker, peers, its own token and certificate.
    Run it where the service starts: paths in the file are relative to that folder. Exit code 1 if there are any.
    """
    found = findings(config, offline=offline, services=_known(service or []))
    rows = [(finding.level.value, finding.setting, finding.text) for finding in found]
    if json:
        show_json([{"level": level, "setting": setting, "text": text} for level, setting, text in rows])
    else:
        show_table("configuration", ("", "setting", "finding"), rows)
    if any(finding.level is Level.ERROR for finding in found):
        raise typer.Exit(1)


def _known(services: list[str]) -> list[str]:
    wrong = [name for name in services if name not in SERVICES]
    if wrong:
        violation = Violation("--service", repr(wrong[0]), f"one of {', '.join(SERVICES)}")
        raise InvalidRequest("E_CONFIG", str(violation), violations=[violation])
    return services


def show(config: Config = None) -> None:
    """Print the settings in force, file and environment merged, as JSON with passwords masked."""
    refuse_wrong(config)
    tree = read_tree(config)
    _, sections = read_sections(tree)
    mesh = load_mesh(tree).model_dump(mode="json")
    document: dict[str, object] = {"mesh": {**mesh, "nats_url": without_password(mesh["nats_url"])}}
    for name, settings in sections.items():
        values = settings.model_dump(mode="json", exclude={"mesh", "service"})
        document[name] = {**values, "database_url": without_password(settings.database_url)}
    show_json(document)


def _defaults(kind: type[BaseModel]) -> str:
    lines = []
    for name, field in kind.model_fields.items():
        if name in ("service", "mesh"):
            continue
        value = field.get_default(call_default_factory=True)
        note = f"  # default: {DERIVED[name]}" if name in DERIVED and value in ("", -1) else ""
        lines.append(f"# {name} = {_toml(value)}{note}\n")
    return "".join(lines)


def _toml(value: object) -> str:
    """A TOML value; None has no spelling in TOML and shows as an empty string, which a reader fills in."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + " }" if value else "{}"
    text = "" if value is None else str(value)
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
