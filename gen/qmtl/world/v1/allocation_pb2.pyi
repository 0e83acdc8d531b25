import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ProposalMethod(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PROPOSAL_METHOD_UNSPECIFIED: _ClassVar[ProposalMethod]
    PROPOSAL_METHOD_EQUAL: _ClassVar[ProposalMethod]
    PROPOSAL_METHOD_INVERSE_VOL: _ClassVar[ProposalMethod]
    PROPOSAL_METHOD_ERC: _ClassVar[ProposalMethod]
    PROPOSAL_METHOD_HRP: _ClassVar[ProposalMethod]
    PROPOSAL_METHOD_MIN_VARIANCE: _ClassVar[ProposalMethod]
PROPOSAL_METHOD_UNSPECIFIED: ProposalMethod
PROPOSAL_METHOD_EQUAL: ProposalMethod
PROPOSAL_METHOD_INVERSE_VOL: ProposalMethod
PROPOSAL_METHOD_ERC: ProposalMethod
PROPOSAL_METHOD_HRP: ProposalMethod
PROPOSAL_METHOD_MIN_VARIANCE: ProposalMethod

class WorldShare(_message.Message):
    __slots__ = ("world_id", "share")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    SHARE_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    share: str
    def __init__(self, world_id: _Optional[str] = ..., share: _Optional[str] = ...) -> None: ...

class StrategyShare(_message.Message):
    __slots__ = ("world_id", "strategy_id", "share")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    SHARE_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    strategy_id: str
    share: str
    def __init__(self, world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., share: _Optional[str] = ...) -> None: ...

class AllocationTerms(_message.Message):
    __slots__ = ("cash_buffer", "two_person")
    CASH_BUFFER_FIELD_NUMBER: _ClassVar[int]
    TWO_PERSON_FIELD_NUMBER: _ClassVar[int]
    cash_buffer: str
    two_person: bool
    def __init__(self, cash_buffer: _Optional[str] = ..., two_person: _Optional[bool] = ...) -> None: ...

class AllocationSet(_message.Message):
    __slots__ = ("account", "revision", "run_id", "worlds", "strategies", "terms", "reason", "actor", "created_at")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    WORLDS_FIELD_NUMBER: _ClassVar[int]
    STRATEGIES_FIELD_NUMBER: _ClassVar[int]
    TERMS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    account: str
    revision: int
    run_id: str
    worlds: _containers.RepeatedCompositeFieldContainer[WorldShare]
    strategies: _containers.RepeatedCompositeFieldContainer[StrategyShare]
    terms: AllocationTerms
    reason: str
    actor: str
    created_at: _timestamp_pb2.Timestamp
    def __init__(self, account: _Optional[str] = ..., revision: _Optional[int] = ..., run_id: _Optional[str] = ..., worlds: _Optional[_Iterable[_Union[WorldShare, _Mapping]]] = ..., strategies: _Optional[_Iterable[_Union[StrategyShare, _Mapping]]] = ..., terms: _Optional[_Union[AllocationTerms, _Mapping]] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Capital(_message.Message):
    __slots__ = ("world_id", "strategy_id", "share", "capital", "budget", "gross", "utilisation")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    SHARE_FIELD_NUMBER: _ClassVar[int]
    CAPITAL_FIELD_NUMBER: _ClassVar[int]
    BUDGET_FIELD_NUMBER: _ClassVar[int]
    GROSS_FIELD_NUMBER: _ClassVar[int]
    UTILISATION_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    strategy_id: str
    share: str
    capital: str
    budget: str
    gross: str
    utilisation: str
    def __init__(self, world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., share: _Optional[str] = ..., capital: _Optional[str] = ..., budget: _Optional[str] = ..., gross: _Optional[str] = ..., utilisation: _Optional[str] = ...) -> None: ...

class StrategyCovariance(_message.Message):
    __slots__ = ("strategies", "lower")
    STRATEGIES_FIELD_NUMBER: _ClassVar[int]
    LOWER_FIELD_NUMBER: _ClassVar[int]
    strategies: _containers.RepeatedCompositeFieldContainer[StrategyShare]
    lower: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, strategies: _Optional[_Iterable[_Union[StrategyShare, _Mapping]]] = ..., lower: _Optional[_Iterable[float]] = ...) -> None: ...

class ShareBound(_message.Message):
    __slots__ = ("world_id", "strategy_id", "floor", "cap")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    FLOOR_FIELD_NUMBER: _ClassVar[int]
    CAP_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    strategy_id: str
    floor: str
    cap: str
    def __init__(self, world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., floor: _Optional[str] = ..., cap: _Optional[str] = ...) -> None: ...

class ProposedShare(_message.Message):
    __slots__ = ("world_id", "strategy_id", "share", "today", "weight")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    SHARE_FIELD_NUMBER: _ClassVar[int]
    TODAY_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    strategy_id: str
    share: str
    today: str
    weight: float
    def __init__(self, world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., share: _Optional[str] = ..., today: _Optional[str] = ..., weight: _Optional[float] = ...) -> None: ...
