from qmtl.common.v1 import options_pb2 as _options_pb2
from qmtl.world.v1 import rebalance_pb2 as _rebalance_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ExecuteRebalanceRequest(_message.Message):
    __slots__ = ("account", "run_id")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    account: str
    run_id: str
    def __init__(self, account: _Optional[str] = ..., run_id: _Optional[str] = ...) -> None: ...

class ExecuteRebalanceResponse(_message.Message):
    __slots__ = ("run",)
    RUN_FIELD_NUMBER: _ClassVar[int]
    run: _rebalance_pb2.RebalanceRun
    def __init__(self, run: _Optional[_Union[_rebalance_pb2.RebalanceRun, _Mapping]] = ...) -> None: ...

class CancelRebalanceRequest(_message.Message):
    __slots__ = ("account", "run_id")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    account: str
    run_id: str
    def __init__(self, account: _Optional[str] = ..., run_id: _Optional[str] = ...) -> None: ...

class CancelRebalanceResponse(_message.Message):
    __slots__ = ("run",)
    RUN_FIELD_NUMBER: _ClassVar[int]
    run: _rebalance_pb2.RebalanceRun
    def __init__(self, run: _Optional[_Union[_rebalance_pb2.RebalanceRun, _Mapping]] = ...) -> None: ...
