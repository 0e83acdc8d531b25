import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qmtl.common.v1 import options_pb2 as _options_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class VenueState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VENUE_STATE_UNSPECIFIED: _ClassVar[VenueState]
    VENUE_STATE_CONNECTED: _ClassVar[VenueState]
    VENUE_STATE_RECONCILING: _ClassVar[VenueState]
    VENUE_STATE_DISCONNECTED: _ClassVar[VenueState]
    VENUE_STATE_IDLE: _ClassVar[VenueState]
    VENUE_STATE_CLOCK_APART: _ClassVar[VenueState]
VENUE_STATE_UNSPECIFIED: VenueState
VENUE_STATE_CONNECTED: VenueState
VENUE_STATE_RECONCILING: VenueState
VENUE_STATE_DISCONNECTED: VenueState
VENUE_STATE_IDLE: VenueState
VENUE_STATE_CLOCK_APART: VenueState

class GetVenueStatusRequest(_message.Message):
    __slots__ = ("venue",)
    VENUE_FIELD_NUMBER: _ClassVar[int]
    venue: str
    def __init__(self, venue: _Optional[str] = ...) -> None: ...

class GetVenueStatusResponse(_message.Message):
    __slots__ = ("venue", "state", "message", "stage", "live", "account", "lease_epoch", "lease_holder", "compared_at", "differences", "weight_used", "clock_ahead_ms")
    VENUE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    LIVE_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    LEASE_EPOCH_FIELD_NUMBER: _ClassVar[int]
    LEASE_HOLDER_FIELD_NUMBER: _ClassVar[int]
    COMPARED_AT_FIELD_NUMBER: _ClassVar[int]
    DIFFERENCES_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_USED_FIELD_NUMBER: _ClassVar[int]
    CLOCK_AHEAD_MS_FIELD_NUMBER: _ClassVar[int]
    venue: str
    state: VenueState
    message: str
    stage: str
    live: bool
    account: str
    lease_epoch: int
    lease_holder: str
    compared_at: _timestamp_pb2.Timestamp
    differences: _containers.RepeatedScalarFieldContainer[str]
    weight_used: int
    clock_ahead_ms: int
    def __init__(self, venue: _Optional[str] = ..., state: _Optional[_Union[VenueState, str]] = ..., message: _Optional[str] = ..., stage: _Optional[str] = ..., live: _Optional[bool] = ..., account: _Optional[str] = ..., lease_epoch: _Optional[int] = ..., lease_holder: _Optional[str] = ..., compared_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., differences: _Optional[_Iterable[str]] = ..., weight_used: _Optional[int] = ..., clock_ahead_ms: _Optional[int] = ...) -> None: ...

class ListVenuesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListVenuesResponse(_message.Message):
    __slots__ = ("venues",)
    VENUES_FIELD_NUMBER: _ClassVar[int]
    venues: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, venues: _Optional[_Iterable[str]] = ...) -> None: ...

class ReconcileVenueRequest(_message.Message):
    __slots__ = ("account", "venue")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    VENUE_FIELD_NUMBER: _ClassVar[int]
    account: str
    venue: str
    def __init__(self, account: _Optional[str] = ..., venue: _Optional[str] = ...) -> None: ...

class ReconcileVenueResponse(_message.Message):
    __slots__ = ("orders_resolved", "fills_booked", "differences")
    ORDERS_RESOLVED_FIELD_NUMBER: _ClassVar[int]
    FILLS_BOOKED_FIELD_NUMBER: _ClassVar[int]
    DIFFERENCES_FIELD_NUMBER: _ClassVar[int]
    orders_resolved: int
    fills_booked: int
    differences: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, orders_resolved: _Optional[int] = ..., fills_booked: _Optional[int] = ..., differences: _Optional[_Iterable[str]] = ...) -> None: ...
