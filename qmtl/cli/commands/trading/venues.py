"""`qmtl reconcile`: the books of an account against its venue."""

from __future__ import annotations

from typing import Annotated

import typer

from qmtl.broker.v1 import venue_service_pb2 as venueservicepb
from qmtl.broker.v1 import venue_service_pb2_grpc as venuerpc
from qmtl.cli.gateway.calls import ask
from qmtl.cli.options import Access, with_access
from qmtl.cli.show.messages import show_json
from qmtl.cli.show.tables import show_pairs
from qmtl.rpc.client.channel import MeshChannel


@with_access
def reconcile(access: Access, account: Annotated[str, typer.Argument(help="Name of the account.")]) -> None:
    """Compare the books of an account with its venue; 1 where something differs."""

    async def call(channel: MeshChannel) -> venueservicepb.ReconcileVenueResponse:
        request = venueservicepb.ReconcileVenueRequest(account=account)
        return await venuerpc.VenueServiceStub(channel).ReconcileVenue(request)

    found = ask(access, call)
    if access.json:
        show_json(
            {
                "orders_resolved": found.orders_resolved,
                "fills_booked": found.fills_booked,
                "differences": list(found.differences),
            }
        )
    else:
        pairs = [("orders resolved", str(found.orders_resolved)), ("fills booked", str(found.fills_booked))]
        show_pairs(account, [*pairs, *(("differs", text) for text in found.differences or ("nothing",))])
    if found.differences:
        raise typer.Exit(1)
