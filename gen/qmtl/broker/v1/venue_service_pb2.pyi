from qmtl.common.v1 import options_pb2 as _options_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class VenueState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VENUE_STATE_UNSPECIFIED: _ClassVar[VenueState]
    VENUE_STATE_CONNECTED: _ClassVar[VenueState]
    VENUE_STATE_RECONCILING: _ClassVar[VenueState]
    VENUE_STATE_DISCONNECTED: _ClassVar[VenueState]
VENUE_STATE_UNSPECIFIED: VenueState
VENUE_STATE_CONNECTED: VenueState
VENUE_STATE_RECONCILING: VenueState
VENUE_STATE_DISCONNECTED: VenueState

class GetVenueStatusRequest(_message.Message):
    __slots__ = ("venue",)
    VENUE_FIELD_NUMBER: _ClassVar[int]
    venue: str
    def __init__(self, venue: _Optional[str] = ...) -> None: ...

class GetVenueStatusResponse(_message.Message):
    __slots__ = ("venue", "state", "message")
    VENUE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    venue: str
    state: VenueState
    message: str
    def __init__(self, venue: _Optional[str] = ..., state: _Optional[_Union[VenueState, str]] = ..., message: _Optional[str] = ...) -> None: ...

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
