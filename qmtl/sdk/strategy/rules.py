"""How a command node becomes orders: symbol, sizing and lot."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from qmtl.core.identity.nodes import SemanticKind
from qmtl.sdk.graph.builtins import Builtin
from qmtl.sdk.graph.fold import Vector
from qmtl.sdk.graph.node_types import InputPort, NodeType, Parameter, ParameterType
from qmtl.sdk.graph.schemas import COMMAND, OHLCV
from qmtl.sdk.graph.vertices import FoldNode


class Sizing(Enum):
    """What a target's number means."""

    UNITS = "units"
    EQUITY_FRACTION = "equity_fraction"


@dataclass(frozen=True, slots=True)
class TradeRule:
    """How one command node becomes orders: the symbol, the meaning of its target, and the lot it is cut to; None: the
    lot of the instrument.
    """

    command: FoldNode
    symbol: str
    sizing: Sizing
    lot: Decimal | None


def target_and_price_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    out[0] = x[0]
    out[1] = x[1]
    return True


ORDER_TARGET = Builtin(
    NodeType(
        node_type="order.target",
        code_hash="builtin:order_target@1.0",
        summary="Hold a target by market orders when it changes.",
        output=COMMAND,
        kind=SemanticKind.COMMAND_VALUE,
        parameters=(
            Parameter("symbol", ParameterType.TEXT, "symbol of the market", minimum=1, maximum=100),
            Parameter(
                "sizing",
                ParameterType.TEXT,
                "",
                Sizing.EQUITY_FRACTION.value,
                minimum=1,
                maximum=20,
                choices=tuple(sizing.value for sizing in Sizing),
            ),
            Parameter("lot", ParameterType.TEXT, "units of the asset; empty: its own", "", minimum=0, maximum=40),
        ),
        inputs=(
            InputPort("target", kinds=(SemanticKind.DECISION_VALUE, SemanticKind.COMMAND_VALUE)),
            InputPort("price", ("close",), (OHLCV,)),
        ),
    ),
    target_and_price_step,
)
"""The command node that Strategy.trade makes."""
