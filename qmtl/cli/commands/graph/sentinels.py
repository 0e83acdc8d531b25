"""`qmtl sentinel`: versions of a strategy and their share of traffic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from qmtl.cli.gateway.calls import ask
from qmtl.cli.gateway.ids import whole_sentinel_id, whole_strategy_id
from qmtl.cli.gateway.pages import listed
from qmtl.cli.options import Access, Limit, StrategyId, with_access
from qmtl.cli.show.listings import show_listing
from qmtl.cli.show.messages import as_dict, show_json, when
from qmtl.cli.show.tables import show_table
from qmtl.core.decimals import format_decimal, to_decimal
from qmtl.dag.v1 import sentinel_pb2 as sentinelpb
from qmtl.dag.v1 import sentinel_service_pb2 as sentinelservicepb
from qmtl.dag.v1 import sentinel_service_pb2_grpc as sentinelrpc
from qmtl.rpc.client.channel import MeshChannel

SENTINELS_MAX = 100
COLUMNS = ("sentinel", "version", "weight", "commit", "created", "etag")


@with_access
def list_sentinels(
    access: Access,
    strategy_id: StrategyId,
    limit: Limit = SENTINELS_MAX,
) -> None:
    """List the versions of a strategy and each one's share of traffic, newest first."""
    strategy_id = whole_strategy_id(access, strategy_id)

    request = sentinelservicepb.ListSentinelsRequest(strategy_id=strategy_id)
    found = ask(
        access,
        lambda channel: listed(
            sentinelrpc.SentinelServiceStub(channel).ListSentinels, request, lambda reply: reply.sentinels, limit
        ),
    )
    show_listing(access, found, "sentinels", COLUMNS, _rows)


@with_access
def set_weight(
    access: Access,
    sentinel_id: Annotated[str, typer.Argument(help="Sentinel, as `qmtl sentinel list` names it.")],
    weight: Annotated[
        float, typer.Argument(help="Share of symbols routed to this version; 0 rolls it back.", min=0, max=1)
    ],
    etag: Annotated[str, typer.Option(help="Refuse if it is not this any more. Empty: no check.")] = "",
) -> None:
    """Set the share of traffic of one version of a strategy."""
    sentinel_id = whole_sentinel_id(access, sentinel_id)

    async def call(channel: MeshChannel) -> sentinelpb.Sentinel:
        request = sentinelservicepb.SetTrafficWeightRequest(
            sentinel_id=sentinel_id, traffic_weight=format_decimal(to_decimal(weight)), etag=etag
        )
        return (await sentinelrpc.SentinelServiceStub(channel).SetTrafficWeight(request)).sentinel

    found = ask(access, call)
    if access.json:
        show_json(as_dict(found))
    else:
        show_table("sentinels", COLUMNS, _rows([found]))


def _rows(found: Sequence[sentinelpb.Sentinel]) -> list[tuple[str, ...]]:
    return [
        (s.sentinel_id, str(s.version), s.traffic_weight, s.commit_hash or "-", when(s.created_at), s.etag)
        for s in found
    ]
