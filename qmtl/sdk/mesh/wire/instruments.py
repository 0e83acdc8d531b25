"""Instruments from messages: symbol properties as the brokerage tells them."""

from __future__ import annotations

from brokerage.domain.market.instrument import AssetClass, Instrument, instrument
from qmtl.broker.v1 import instrument_pb2 as instrumentpb
from qmtl.wire.fields import known_enum

_CLASSES = {instrumentpb.AssetClass.Value(f"ASSET_CLASS_{entry.name}"): entry for entry in AssetClass}


def instrument_from_proto(message: instrumentpb.Instrument) -> Instrument:
    """An instrument for sizing and accounting here; bounds of orders are the brokerage's to check."""
    return instrument(
        message.symbol,
        base=message.base_currency,
        quote=message.quote_currency,
        tick=message.tick,
        lot=message.lot,
        multiplier=message.multiplier,
        quantity_places=message.quantity_places,
        calendar=message.calendar,
        asset_class=known_enum(_CLASSES, message.asset_class, "instrument.asset_class"),
    )
