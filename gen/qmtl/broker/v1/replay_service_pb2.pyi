import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qmtl.broker.v1 import account_pb2 as _account_pb2
from qmtl.broker.v1 import replay_pb2 as _replay_pb2
from qmtl.common.v1 import options_pb2 as _options_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ReplayBooksRequest(_message.Message):
    __slots__ = ("world_id", "strategy_id", "account", "data_session_id", "start", "account_model", "end", "own_terms", "opening_at")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    DATA_SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_MODEL_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    OWN_TERMS_FIELD_NUMBER: _ClassVar[int]
    OPENING_AT_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    strategy_id: str
    account: str
    data_session_id: str
    start: _timestamp_pb2.Timestamp
    account_model: _account_pb2.AccountModel
    end: _timestamp_pb2.Timestamp
    own_terms: bool
    opening_at: _timestamp_pb2.Timestamp
    def __init__(self, world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., account: _Optional[str] = ..., data_session_id: _Optional[str] = ..., start: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., account_model: _Optional[_Union[_account_pb2.AccountModel, _Mapping]] = ..., end: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., own_terms: _Optional[bool] = ..., opening_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ReplayBooksResponse(_message.Message):
    __slots__ = ("part", "orders")
    PART_FIELD_NUMBER: _ClassVar[int]
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    part: ReplayOrdersResponse
    orders: _containers.RepeatedCompositeFieldContainer[_replay_pb2.BookedOrder]
    def __init__(self, part: _Optional[_Union[ReplayOrdersResponse, _Mapping]] = ..., orders: _Optional[_Iterable[_Union[_replay_pb2.BookedOrder, _Mapping]]] = ...) -> None: ...

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
