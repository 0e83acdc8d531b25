from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class RiskLimits(_message.Message):
    __slots__ = ("order_notional_max", "long_notional_max", "short_notional_max", "gross_notional_max", "net_notional_max")
    ORDER_NOTIONAL_MAX_FIELD_NUMBER: _ClassVar[int]
    LONG_NOTIONAL_MAX_FIELD_NUMBER: _ClassVar[int]
    SHORT_NOTIONAL_MAX_FIELD_NUMBER: _ClassVar[int]
    GROSS_NOTIONAL_MAX_FIELD_NUMBER: _ClassVar[int]
    NET_NOTIONAL_MAX_FIELD_NUMBER: _ClassVar[int]
    order_notional_max: str
    long_notional_max: str
    short_notional_max: str
    gross_notional_max: str
    net_notional_max: str
    def __init__(self, order_notional_max: _Optional[str] = ..., long_notional_max: _Optional[str] = ..., short_notional_max: _Optional[str] = ..., gross_notional_max: _Optional[str] = ..., net_notional_max: _Optional[str] = ...) -> None: ...
