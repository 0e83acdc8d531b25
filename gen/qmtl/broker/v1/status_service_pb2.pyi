from qmtl.common.v1 import common_pb2 as _common_pb2
from qmtl.common.v1 import options_pb2 as _options_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetStatusResponse(_message.Message):
    __slots__ = ("status", "open_orders", "accounts", "accounts_short_of_margin")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    OPEN_ORDERS_FIELD_NUMBER: _ClassVar[int]
    ACCOUNTS_FIELD_NUMBER: _ClassVar[int]
    ACCOUNTS_SHORT_OF_MARGIN_FIELD_NUMBER: _ClassVar[int]
    status: _common_pb2.ServiceStatus
    open_orders: int
    accounts: int
    accounts_short_of_margin: int
    def __init__(self, status: _Optional[_Union[_common_pb2.ServiceStatus, _Mapping]] = ..., open_orders: _Optional[int] = ..., accounts: _Optional[int] = ..., accounts_short_of_margin: _Optional[int] = ...) -> None: ...
