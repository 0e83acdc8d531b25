"""`qmtl venues`, `qmtl reconcile`, and accounts at venues: opened, and given prices."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer

from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.broker.v1 import account_service_pb2 as accountservicepb
from qmtl.broker.v1 import account_service_pb2_grpc as accountrpc
from qmtl.broker.v1 import venue_service_pb2 as venueservicepb
from qmtl.broker.v1 import venue_service_pb2_grpc as venuerpc
from qmtl.cli.commands.trading.accounts import account_pairs
from qmtl.cli.gateway.calls import ask
from qmtl.cli.options import Access, with_access
from qmtl.cli.show.messages import as_dict, enum_word, show_json, when
from qmtl.cli.show.tables import show_pairs, show_table
from qmtl.rpc.client.channel import MeshChannel

Account = Annotated[str, typer.Argument(help="Name of the account.")]


class Kind(Enum):
    """A type of account as people write it."""

    CASH = "cash"
    MARGIN = "margin"


@with_access
def open_account(
    access: Access,
    account: Account,
    venue: Annotated[str, typer.Option("--venue", help="A venue of the brokerage's settings.")],
    world: Annotated[list[str], typer.Option("--world", help="A world that may use it; may be repeated.")],
    currency: Annotated[str, typer.Option("--currency", help="What its equity is counted in, for example USDT.")],
    kind: Annotated[Kind, typer.Option("--type", help="Whether it may borrow.")] = Kind.CASH,
    profile: Annotated[str, typer.Option("--profile", help="Whose fees are reserved. Default: the exchange's.")] = "",
    fee_rate: Annotated[str, typer.Option("--fee-rate", help="A fee instead, as a fraction of the notional.")] = "",
) -> None:
    """Open the account at a venue of the settings. It trades once the venue was compared and nothing differs."""

    async def call(channel: MeshChannel) -> accountpb.Account:
        request = accountservicepb.OpenVenueAccountRequest(
            account=account,
            venue=venue,
            world_ids=world,
            base_currency=currency,
            type=f"ACCOUNT_TYPE_{kind.name}",
            profile=profile,
            fee_rate=fee_rate,
        )
        return (await accountrpc.AccountServiceStub(channel).OpenVenueAccount(request)).account

    _show_account(access, ask(access, call))


@with_access
def feed(
    access: Access,
    account: Account,
    preset: Annotated[str, typer.Argument(help="A data preset, whose symbol the account then has prices of.")],
) -> None:
    """Give an account the prices of one more instrument, from a preset's live feed."""

    async def call(channel: MeshChannel) -> accountpb.Account:
        request = accountservicepb.AddFeedRequest(account=account, data_preset=preset)
        return (await accountrpc.AccountServiceStub(channel).AddFeed(request)).account

    _show_account(access, ask(access, call))


def _show_account(access: Access, found: accountpb.Account) -> None:
    if access.json:
        show_json(as_dict(found))
    else:
        show_pairs(f"account {found.account}", account_pairs(found))


@with_access
def status(access: Access, venue: Annotated[str, typer.Argument(help="Name of the venue. Default: all.")] = "") -> None:
    """Show how venues are: whether they are live, who drives their account, when it was compared and what differed."""

    async def call(channel: MeshChannel) -> list[venueservicepb.GetVenueStatusResponse]:
        stub = venuerpc.VenueServiceStub(channel)
        names = [venue] if venue else list((await stub.ListVenues(venueservicepb.ListVenuesRequest())).venues)
        return [await stub.GetVenueStatus(venueservicepb.GetVenueStatusRequest(venue=name)) for name in names]

    found = ask(access, call)
    if access.json:
        show_json([as_dict(one) for one in found])
        return
    columns = (
        "venue",
        "stage",
        "live",
        "state",
        "account",
        "driven by",
        "compared",
        "weight",
        "clock",
        "differs, or says",
    )
    show_table("venues", columns, [venue_row(one) for one in found])


def venue_row(one: venueservicepb.GetVenueStatusResponse) -> tuple[str, ...]:
    """One line of a venue."""
    return (
        one.venue,
        one.stage,
        "yes" if one.live else "no",
        enum_word(venueservicepb.VenueState, one.state),
        one.account or "-",
        f"{one.lease_holder[:8]}, epoch {one.lease_epoch}" if one.lease_epoch else "-",
        when(one.compared_at) if one.HasField("compared_at") else "-",
        str(one.weight_used) if one.HasField("weight_used") else "-",
        f"{one.clock_ahead_ms:+d} ms" if one.HasField("clock_ahead_ms") else "-",
        "; ".join(one.differences) or one.message or "-",
    )


@with_access
def reconcile(access: Access, account: Account) -> None:
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
