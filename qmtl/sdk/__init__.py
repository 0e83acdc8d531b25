"""What strategy authors import. Nothing here opens a connection: Runner does, and loads what it needs then."""

from qmtl.core.dag import SemanticKind
from qmtl.sdk import indicators, signals
from qmtl.sdk.bars import Bars
from qmtl.sdk.nodes import Node, StreamInput, TagQuery, node
from qmtl.sdk.runner import Runner
from qmtl.sdk.strategy import FillEvent, Signal, Sizing, Strategy
from qmtl.sdk.view import CacheView
from qmtl.sdk.words import OHLCV, VALUE, Late, Schema

__all__ = [
    "OHLCV",
    "VALUE",
    "Bars",
    "CacheView",
    "FillEvent",
    "Late",
    "Node",
    "Runner",
    "Schema",
    "SemanticKind",
    "Signal",
    "Sizing",
    "Strategy",
    "StreamInput",
    "TagQuery",
    "indicators",
    "node",
    "signals",
]
