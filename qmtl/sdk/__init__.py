"""What strategy authors import. Nothing here opens a connection: Runner does, and loads what it needs then."""

from brokerage.domain.market.instrument import AssetClass, Instrument, instrument
from qmtl.core.fills import FillEvent
from qmtl.core.identity.nodes import SemanticKind
from qmtl.sdk import decisions as signals
from qmtl.sdk import generators, indicators, labels, nodesets
from qmtl.sdk.arithmetic import maximum, minimum, where
from qmtl.sdk.data.bars import Bars
from qmtl.sdk.execution.terms import AccountTerms
from qmtl.sdk.graph.factories import node
from qmtl.sdk.graph.joins import Join
from qmtl.sdk.graph.schemas import OHLCV, VALUE, Schema
from qmtl.sdk.graph.vertices import Late, Node, StreamInput, TagQuery, Vertex
from qmtl.sdk.graph.view import BatchView, CacheView
from qmtl.sdk.research.spaces import Between
from qmtl.sdk.research.splits import WalkForward
from qmtl.sdk.runner import Runner
from qmtl.sdk.strategy.bracket import Bracket, Limit
from qmtl.sdk.strategy.events import OrderRole, OrderState, OrderUpdate, Signal
from qmtl.sdk.strategy.rules import Sizing
from qmtl.sdk.strategy.strategy import Strategy
from qmtl.sdk.streams import feature, latest, member, resample

__all__ = [
    "OHLCV",
    "VALUE",
    "AccountTerms",
    "AssetClass",
    "Bars",
    "BatchView",
    "Between",
    "Bracket",
    "CacheView",
    "FillEvent",
    "Instrument",
    "Join",
    "Late",
    "Limit",
    "Node",
    "OrderRole",
    "OrderState",
    "OrderUpdate",
    "Runner",
    "Schema",
    "SemanticKind",
    "Signal",
    "Sizing",
    "Strategy",
    "StreamInput",
    "TagQuery",
    "Vertex",
    "WalkForward",
    "feature",
    "generators",
    "indicators",
    "instrument",
    "labels",
    "latest",
    "maximum",
    "member",
    "minimum",
    "node",
    "nodesets",
    "resample",
    "signals",
    "where",
]
