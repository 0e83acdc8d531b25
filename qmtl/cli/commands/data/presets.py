"""`qmtl data presets`: data presets and whether they can serve bars."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated

import typer

from qmtl.cli.commands.data.datasets import LIST_MAX
from qmtl.cli.gateway.calls import ask
from qmtl.cli.gateway.pages import listed
from qmtl.cli.options import Access, with_access
from qmtl.cli.show.formats import instant, span_word
from qmtl.cli.show.messages import as_dict, enum_word, show_json, when
from qmtl.cli.show.tables import show_table
from qmtl.core.instants import to_ns
from qmtl.data.v1 import catalogue_service_pb2 as catalogueservicepb
from qmtl.data.v1 import catalogue_service_pb2_grpc as cataloguerpc
from qmtl.data.v1 import conformance_pb2 as conformancepb
from qmtl.data.v1 import datasets_pb2 as datasetspb
from qmtl.wire.instants import ns_from_proto


@with_access
def presets(access: Access) -> None:
    """List the data presets a world may name, and whether they can be used here."""
    request = catalogueservicepb.ListPresetsRequest()
    found = ask(
        access,
        lambda channel: listed(
            cataloguerpc.CatalogueServiceStub(channel).ListPresets, request, lambda reply: reply.presets, LIST_MAX
        ),
    )
    if access.json:
        show_json([as_dict(one) for one in found])
        return
    rows = [
        (
            one.name,
            "yes" if one.available else "NO",
            one.symbol or "-",
            span_word(one.interval.seconds) or "-",
            "replay" if one.replay else "live",
            enum_word(conformancepb.ConformanceStrictness, one.strictness) if one.strictness else "-",
            f"{Decimal(one.min_coverage):.0%}" if not one.members else "-",
            one.description if one.available else one.message,
        )
        for one in found
    ]
    columns = ("preset", "usable", "symbol", "interval", "feed", "conformance", "coverage asked", "what")
    show_table("presets", columns, rows)


@with_access
def members(
    access: Access,
    universe: Annotated[str, typer.Argument(help="Preset of a universe, for example replay.mine.")],
    at: Annotated[str, typer.Option(help="Only who was a member at this time.")] = "",
) -> None:
    """List which symbols of a universe are members when, and what each was called then."""
    request = catalogueservicepb.GetPresetRequest(name=universe)
    at_ns = to_ns(instant(at, "--at")) if at else None
    told = ask(access, lambda channel: cataloguerpc.CatalogueServiceStub(channel).GetPreset(request)).preset
    found = members_at(told.memberships, at_ns)
    if access.json:
        show_json({"fingerprint": told.memberships_fingerprint, "memberships": [as_dict(one) for one in found]})
        return
    if not told.memberships:
        typer.echo(f"{universe}: {told.message or 'no table of memberships: all are members at all times'}")
        return
    show_table(f"members of {universe}", ("symbol", "ticker", "from", "until"), member_rows(found))
    typer.echo(f"fingerprint {told.memberships_fingerprint}")


def members_at(found: Iterable[datasetspb.Membership], at_ns: int | None) -> list[datasetspb.Membership]:
    """Those of one instant; None: all."""
    return [one for one in found if at_ns is None or _holds(one, at_ns)]


def member_rows(found: Iterable[datasetspb.Membership]) -> list[tuple[str, ...]]:
    """A row of each membership: symbol, ticker, from, until."""
    return [
        (
            one.symbol,
            one.ticker,
            when(one.start_time) if one.HasField("start_time") else "its first bar",
            when(one.end_time) if one.HasField("end_time") else "still",
        )
        for one in found
    ]


def _holds(one: datasetspb.Membership, at_ns: int) -> bool:
    begun = not one.HasField("start_time") or ns_from_proto(one.start_time, "start_time") <= at_ns
    return begun and (not one.HasField("end_time") or at_ns < ns_from_proto(one.end_time, "end_time"))
