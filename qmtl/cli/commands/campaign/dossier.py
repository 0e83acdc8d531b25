"""`qmtl campaign dossier`: all that led a strategy to where it stands, for a committee and an auditor."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Annotated

import typer

from qmtl.cli.gateway.calls import ask
from qmtl.cli.gateway.ids import whole_strategy_id
from qmtl.cli.options import Access, StrategyId, WorldId, with_access
from qmtl.cli.show.formats import instant
from qmtl.cli.show.messages import as_dict, show_json, when
from qmtl.cli.show.output_files import write_whole
from qmtl.rpc.client.channel import MeshChannel
from qmtl.rpc.client.streams import scoped
from qmtl.world.v1 import campaign_service_pb2 as campaignservicepb
from qmtl.world.v1 import campaign_service_pb2_grpc as campaignrpc
from qmtl.world.v1 import dossier_pb2 as dossierpb

STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:70em;margin:2em auto;padding:0 1em;color:#222}"
    "td{vertical-align:top;padding:.15em .8em .15em 0;overflow-wrap:anywhere}"
    "td.n{white-space:nowrap;color:#666;font-variant-numeric:tabular-nums;text-align:right}"
    "td.t{white-space:nowrap;color:#666}h2{margin:1.6em 0 .3em;font-size:1.1em}footer{margin-top:3em;color:#666}"
)


@with_access
def dossier(
    access: Access,
    world_id: WorldId,
    strategy_id: StrategyId,
    at: Annotated[str, typer.Option("--at", help="As of this time. Default: now.")] = "",
    out: Annotated[Path | None, typer.Option("--out", help="Also write it as a page into this file.")] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Compute again what is stored, and compare a page that is in --out.")
    ] = False,
) -> None:
    """Tell all that led a strategy to where it stands, each line with its entry of the audit log.

    The same --at gives the same bytes. With --verify exit code 1 when anything differs.
    """
    strategy_id = whole_strategy_id(access, strategy_id)
    request = campaignservicepb.GetDossierRequest(world_id=world_id, strategy_id=strategy_id, verify=verify)
    if at:
        request.at.FromDatetime(instant(at, "--at"))
    parts = ask(access, lambda channel: _parts(channel, request))
    lines, last = [line for part in parts for line in part.lines], parts[-1]
    differences = list(last.differences)
    page = page_of(f"{strategy_id} in world {world_id}", lines, last)
    if out is not None and verify and out.exists():
        differences += _unlike(out, page)
    elif out is not None:
        write_whole(out, page.encode(), "--out")
    if access.json:
        told = [as_dict(line) for line in lines]
        show_json({"at": when(last.at), "dossier_hash": last.dossier_hash, "lines": told, "differences": differences})
    else:
        for text in text_of(lines):
            typer.echo(text)
        typer.echo(f"\nas of {when(last.at)}, {last.dossier_hash}")
    if verify:
        for one in differences:
            typer.echo(f"DIFFERS {one}", err=access.json)
        typer.echo(f"{last.verified_count} computed again, {len(differences)} differ", err=access.json)
        if differences:
            raise typer.Exit(1)


async def _parts(
    channel: MeshChannel, request: campaignservicepb.GetDossierRequest
) -> list[campaignservicepb.GetDossierResponse]:
    with scoped(campaignrpc.CampaignServiceStub(channel).GetDossier(request)) as replies:
        return [part async for part in replies]


def text_of(lines: Iterable[dossierpb.DossierLine]) -> Iterator[str]:
    """Heading by heading, each line with its entry of the audit log before it."""
    for section, mine in groupby(lines, key=lambda line: line.section):
        yield f"\n{section}"
        for line in mine:
            number = f"#{line.audit_number}" if line.audit_number else ""
            at = f"{when(line.time)} " if line.HasField("time") else ""
            yield f"  {number:>8} {at}{line.text}"


def page_of(title: str, lines: Iterable[dossierpb.DossierLine], last: campaignservicepb.GetDossierResponse) -> str:
    """A page that needs nothing beside it."""
    rows = []
    for section, mine in groupby(lines, key=lambda line: line.section):
        rows.append(f"<h2>{html.escape(section)}</h2>\n<table>")
        for line in mine:
            number = f"#{line.audit_number}" if line.audit_number else ""
            at = when(line.time) if line.HasField("time") else ""
            cells = f'<td class="n">{number}</td><td class="t">{at}</td><td>{html.escape(line.text)}</td>'
            rows.append(f"<tr>{cells}</tr>")
        rows.append("</table>")
    head = f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>Dossier of {html.escape(title)}</title>'
    note = "Numbers before a line are entries of the world's audit log; a line without one is computed from others."
    foot = f"<footer>As of {when(last.at)}. Digest of all lines: {last.dossier_hash}. {note}</footer>"
    body = "\n".join(rows)
    return f"{head}<style>{STYLE}</style>\n<h1>Dossier of {html.escape(title)}</h1>\n{body}\n{foot}</html>\n"


def _unlike(path: Path, page: str) -> Iterator[str]:
    """Lines of a page on disk that are not those of now."""
    old, new = path.read_text(encoding="utf-8").splitlines(), page.splitlines()
    gone, come = sorted(set(old) - set(new)), sorted(set(new) - set(old))
    for word, found in (("only in the file", gone), ("not in the file", come)):
        yield from (f"{path}: {word}: {line[:200]}" for line in found)
