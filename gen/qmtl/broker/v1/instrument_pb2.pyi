import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AssetClass(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ASSET_CLASS_UNSPECIFIED: _ClassVar[AssetClass]
    ASSET_CLASS_CRYPTO: _ClassVar[AssetClass]
    ASSET_CLASS_EQUITY: _ClassVar[AssetClass]
    ASSET_CLASS_FOREX: _ClassVar[AssetClass]
    ASSET_CLASS_FUTURE: _ClassVar[AssetClass]

class InstrumentSource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    INSTRUMENT_SOURCE_UNSPECIFIED: _ClassVar[InstrumentSource]
    INSTRUMENT_SOURCE_CONFIGURATION: _ClassVar[InstrumentSource]
    INSTRUMENT_SOURCE_TABLE: _ClassVar[InstrumentSource]
    INSTRUMENT_SOURCE_VENUE: _ClassVar[InstrumentSource]
ASSET_CLASS_UNSPECIFIED: AssetClass
ASSET_CLASS_CRYPTO: AssetClass
ASSET_CLASS_EQUITY: AssetClass
ASSET_CLASS_FOREX: AssetClass
ASSET_CLASS_FUTURE: AssetClass
INSTRUMENT_SOURCE_UNSPECIFIED: InstrumentSource
INSTRUMENT_SOURCE_CONFIGURATION: InstrumentSource
INSTRUMENT_SOURCE_TABLE: InstrumentSource
INSTRUMENT_SOURCE_VENUE: InstrumentSource

class MarginTier(_message.Message):
    __slots__ = ("notional_cap", "leverage_max", "maintenance_rate", "maintenance_amount")
    NOTIONAL_CAP_FIELD_NUMBER: _ClassVar[int]
    LEVERAGE_MAX_FIELD_NUMBER: _ClassVar[int]
    MAINTENANCE_RATE_FIELD_NUMBER: _ClassVar[int]
    MAINTENANCE_AMOUNT_FIELD_NUMBER: _ClassVar[int]
    notional_cap: str
    leverage_max: int
    maintenance_rate: str
    maintenance_amount: str
    def __init__(self, notional_cap: _Optional[str] = ..., leverage_max: _Optional[int] = ..., maintenance_rate: _Optional[str] = ..., maintenance_amount: _Optional[str] = ...) -> None: ...

class Instrument(_message.Message):
    __slots__ = ("venue", "symbol", "asset_class", "base_currency", "quote_currency", "tick", "lot", "multiplier", "quantity_min", "quantity_max", "notional_min", "notional_max", "source", "quantity_places", "calendar", "margin_tiers", "listed_at", "delisted_at")
    VENUE_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    ASSET_CLASS_FIELD_NUMBER: _ClassVar[int]
    BASE_CURRENCY_FIELD_NUMBER: _ClassVar[int]
    QUOTE_CURRENCY_FIELD_NUMBER: _ClassVar[int]
    TICK_FIELD_NUMBER: _ClassVar[int]
    LOT_FIELD_NUMBER: _ClassVar[int]
    MULTIPLIER_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_MIN_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_MAX_FIELD_NUMBER: _ClassVar[int]
    NOTIONAL_MIN_FIELD_NUMBER: _ClassVar[int]
    NOTIONAL_MAX_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_PLACES_FIELD_NUMBER: _ClassVar[int]
    CALENDAR_FIELD_NUMBER: _ClassVar[int]
    MARGIN_TIERS_FIELD_NUMBER: _ClassVar[int]
    LISTED_AT_FIELD_NUMBER: _ClassVar[int]
    DELISTED_AT_FIELD_NUMBER: _ClassVar[int]
    venue: str
    symbol: str
    asset_class: AssetClass
    base_currency: str
    quote_currency: str
    tick: str
    lot: str
    multiplier: str
    quantity_min: str
    quantity_max: str
    notional_min: str
    notional_max: str
    source: InstrumentSource
    quantity_places: int
    calendar: str
    margin_tiers: _containers.RepeatedCompositeFieldContainer[MarginTier]
    listed_at: _timestamp_pb2.Timestamp
    delisted_at: _timestamp_pb2.Timestamp
    def __init__(self, venue: _Optional[str] = ..., symbol: _Optional[str] = ..., asset_class: _Optional[_Union[AssetClass, str]] = ..., base_currency: _Optional[str] = ..., quote_currency: _Optional[str] = ..., tick: _Optional[str] = ..., lot: _Optional[str] = ..., multiplier: _Optional[str] = ..., quantity_min: _Optional[str] = ..., quantity_max: _Optional[str] = ..., notional_min: _Optional[str] = ..., notional_max: _Optional[str] = ..., source: _Optional[_Union[InstrumentSource, str]] = ..., quantity_places: _Optional[int] = ..., calendar: _Optional[str] = ..., margin_tiers: _Optional[_Iterable[_Union[MarginTier, _Mapping]]] = ..., listed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., delisted_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
