"""`qmtl instruments`: symbol properties as the brokerage knows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer
from google.protobuf.timestamp_pb2 import Timestamp

from qmtl.broker.v1 import instrument_pb2 as instrumentpb
from qmtl.broker.v1 import instrument_service_pb2 as instrumentservicepb
from qmtl.broker.v1 import instrument_service_pb2_grpc as instrumentrpc
from qmtl.cli.gateway.calls import ask
from qmtl.cli.gateway.pages import listed
from qmtl.cli.options import Access, with_access
from qmtl.cli.show.listings import show_listing, shown_as_json
from qmtl.cli.show.messages import enum_word
from qmtl.cli.show.tables import show_pairs
from qmtl.core.instants import from_ns, timestamp_text
from qmtl.rpc.client.channel import MeshChannel
from qmtl.wire.instants import ns_from_proto

LIST_MAX = 1_000
Venue = Annotated[str, typer.Option("--venue", help="Name of the venue. Default: paper.")]


@with_access
def list_instruments(
    access: Access,
    venue: Venue = "",
    limit: Annotated[int, typer.Option(help="At most this many.", min=1)] = LIST_MAX,
) -> None:
    """List the instruments that orders may name, in order of symbol."""
    request = instrumentservicepb.ListInstrumentsRequest(venue=venue)
    found = ask(
        access,
        lambda channel: listed(
            instrumentrpc.InstrumentServiceStub(channel).ListInstruments,
            request,
            lambda reply: reply.instruments,
            limit,
        ),
    )
    columns = ("symbol", "class", "base", "quote", "tick", "lot", "multiplier", "least notional", "from")
    show_listing(access, found, "instruments", columns, instrument_rows)


def instrument_rows(found: Sequence[instrumentpb.Instrument]) -> list[tuple[str, ...]]:
    """One line per instrument."""
    return [
        (
            one.symbol,
            enum_word(instrumentpb.AssetClass, one.asset_class),
            one.base_currency,
            one.quote_currency,
            one.tick,
            one.lot,
            one.multiplier,
            one.notional_min or "-",
            enum_word(instrumentpb.InstrumentSource, one.source),
        )
        for one in found
    ]


@with_access
def show(
    access: Access,
    symbol: Annotated[str, typer.Argument(help="Symbol of the instrument.")],
    venue: Venue = "",
) -> None:
    """Show an instrument: currencies, steps and bounds of its orders."""

    async def call(channel: MeshChannel) -> instrumentpb.Instrument:
        stub = instrumentrpc.InstrumentServiceStub(channel)
        return (
            await stub.GetInstrument(instrumentservicepb.GetInstrumentRequest(symbol=symbol, venue=venue))
        ).instrument

    found = ask(access, call)
    if shown_as_json(access, found):
        return
    show_pairs(f"instrument {found.symbol} at {found.venue}", instrument_pairs(found))


def instrument_pairs(one: instrumentpb.Instrument) -> list[tuple[str, str]]:
    """All that is known of an instrument."""
    return [
        ("class", enum_word(instrumentpb.AssetClass, one.asset_class)),
        ("currencies", f"{one.base_currency} priced in {one.quote_currency}"),
        ("tick", one.tick),
        ("lot", one.lot),
        ("multiplier", one.multiplier),
        ("quantity", f"{one.quantity_min or 'any'} to {one.quantity_max or 'any'}"),
        ("notional", f"{one.notional_min or 'any'} to {one.notional_max or 'any'}"),
        *((("listed", _time(one.listed_at)),) if one.HasField("listed_at") else ()),
        *((("trades until", _time(one.delisted_at)),) if one.HasField("delisted_at") else ()),
        *((f"margin tier {number}", tier_line(tier)) for number, tier in enumerate(one.margin_tiers, 1)),
        ("from", enum_word(instrumentpb.InstrumentSource, one.source)),
    ]


def _time(message: Timestamp) -> str:
    return timestamp_text(from_ns(ns_from_proto(message, "instrument")))


def tier_line(tier: instrumentpb.MarginTier) -> str:
    """What a tier asks, as a formula."""
    kept = f"{tier.maintenance_rate} of it - {tier.maintenance_amount} to keep"
    return f"to {tier.notional_cap}: 1/{tier.leverage_max} to open, {kept}"
