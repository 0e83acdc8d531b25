"""`qmtl data presets`: data presets and whether they can serve bars."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from qmtl.cli.commands.data.datasets import LIST_MAX
from qmtl.cli.gateway.pages import ask_pages
from qmtl.cli.options import Access, with_access
from qmtl.cli.show.formats import span_word
from qmtl.cli.show.messages import as_dict, enum_word, show_json
from qmtl.cli.show.tables import show_table
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.data.v1 import catalogue_service_pb2 as catalogueservicepb
from qmtl.data.v1 import catalogue_service_pb2_grpc as cataloguerpc
from qmtl.data.v1 import conformance_pb2 as conformancepb
from qmtl.data.v1 import datasets_pb2 as datasetspb
from qmtl.rpc.client.channel import MeshChannel


@with_access
def presets(access: Access) -> None:
    """List the data presets a world may name, and whether they can be used here."""

    async def page(
        channel: MeshChannel, asked: commonpb.PageRequest
    ) -> tuple[Sequence[datasetspb.Preset], commonpb.PageInfo]:
        request = catalogueservicepb.ListPresetsRequest(page=asked)
        reply = await cataloguerpc.CatalogueServiceStub(channel).ListPresets(request)
        return reply.presets, reply.page

    found = ask_pages(access, page, LIST_MAX)
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
