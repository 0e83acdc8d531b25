"""Decisions: from streams to a direction, from a direction to a position target. Authors know them as `signals`.

Decisions may feed decisions and orders, never a shared stream.
"""

from qmtl.sdk.decisions.directions import cross, threshold, trade_signal, trend, when
from qmtl.sdk.decisions.execution_nodes import micro_batch, pre_trade_gate, router
from qmtl.sdk.decisions.quotes import quote_intent
from qmtl.sdk.decisions.targets import position_target
from qmtl.sdk.decisions.time_exits import max_bars

__all__ = [
    "cross",
    "max_bars",
    "micro_batch",
    "position_target",
    "pre_trade_gate",
    "quote_intent",
    "router",
    "threshold",
    "trade_signal",
    "trend",
    "when",
]
