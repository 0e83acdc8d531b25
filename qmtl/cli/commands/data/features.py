"""`qmtl data features`: what was published in a world."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from qmtl.cli.gateway.calls import ask
from qmtl.cli.gateway.pages import listed
from qmtl.cli.options import Access, Limit, WorldId, with_access
from qmtl.cli.show.formats import span_word
from qmtl.cli.show.listings import show_listing
from qmtl.cli.show.messages import when
from qmtl.core.identity.canonical import json_text
from qmtl.data.v1 import feature_service_pb2 as featureservicepb
from qmtl.data.v1 import feature_service_pb2_grpc as featurerpc
from qmtl.data.v1 import features_pb2 as featurespb
from qmtl.wire.graph import params_from_struct


@with_access
def features(
    access: Access,
    world_id: WorldId,
    factor: Annotated[str, typer.Option(help="Only those of this factor.")] = "",
    limit: Limit = 100,
) -> None:
    """List the features of a world: outputs of nodes that were published in it."""

    request = featureservicepb.ListFeaturesRequest(world_id=world_id, factor=factor)
    found = ask(
        access,
        lambda channel: listed(
            featurerpc.FeatureServiceStub(channel).ListFeatures, request, lambda reply: reply.features, limit
        ),
    )
    columns = ("factor", "instrument", "interval", "params", "as of", "from", "to", "rows", "by", "fingerprint")
    show_listing(access, found, f"features of {world_id}", columns, _rows)


def _rows(found: Sequence[featurespb.Feature]) -> list[tuple[str, ...]]:
    return [
        (
            one.key.factor,
            one.key.instrument,
            span_word(one.key.interval.seconds),
            json_text(params_from_struct(one.key.params)),
            when(one.as_of),
            when(one.range.start),
            when(one.range.end),
            f"{one.rows:,}",
            one.published_by,
            one.fingerprint,
        )
        for one in found
    ]
