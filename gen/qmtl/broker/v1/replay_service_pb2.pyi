from qmtl.broker.v1 import replay_pb2 as _replay_pb2
from qmtl.common.v1 import options_pb2 as _options_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ReplayOrdersRequest(_message.Message):
    __slots__ = ("chunk",)
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    chunk: bytes
    def __init__(self, chunk: _Optional[bytes] = ...) -> None: ...

class ReplayOrdersResponse(_message.Message):
    __slots__ = ("fills", "trades", "denials", "equity_arrow", "summary")
    FILLS_FIELD_NUMBER: _ClassVar[int]
    TRADES_FIELD_NUMBER: _ClassVar[int]
    DENIALS_FIELD_NUMBER: _ClassVar[int]
    EQUITY_ARROW_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    fills: _replay_pb2.ReplayedFills
    trades: _replay_pb2.ReplayedTrades
    denials: _replay_pb2.ReplayedDenials
    equity_arrow: bytes
    summary: _replay_pb2.ReplaySummary
    def __init__(self, fills: _Optional[_Union[_replay_pb2.ReplayedFills, _Mapping]] = ..., trades: _Optional[_Union[_replay_pb2.ReplayedTrades, _Mapping]] = ..., denials: _Optional[_Union[_replay_pb2.ReplayedDenials, _Mapping]] = ..., equity_arrow: _Optional[bytes] = ..., summary: _Optional[_Union[_replay_pb2.ReplaySummary, _Mapping]] = ...) -> None: ...
