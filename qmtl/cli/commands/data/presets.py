"""`qmtl data presets`: data presets and whether they can serve bars."""

from __future__ import annotations

from decimal import Decimal

from qmtl.cli.commands.data.datasets import LIST_MAX
from qmtl.cli.gateway.calls import ask
from qmtl.cli.gateway.pages import listed
from qmtl.cli.options import Access, with_access
from qmtl.cli.show.formats import span_word
from qmtl.cli.show.messages import as_dict, enum_word, show_json
from qmtl.cli.show.tables import show_table
from qmtl.data.v1 import catalogue_service_pb2 as catalogueservicepb
from qmtl.data.v1 import catalogue_service_pb2_grpc as cataloguerpc
from qmtl.data.v1 import conformance_pb2 as conformancepb


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
