"""How a command node becomes orders: symbol, sizing and lot."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np

from qmtl.core.identity.nodes import SemanticKind
from qmtl.sdk.graph.builtins import Builtin
from qmtl.sdk.graph.fold import Vector
from qmtl.sdk.graph.node_types import InputPort, NodeType, Parameter, ParameterType
from qmtl.sdk.graph.schemas import COMMAND, OHLCV
from qmtl.sdk.graph.vertices import FoldNode, StreamInput
from qmtl.sdk.strategy.bracket import Bracket, Limit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qmtl.core.arrays.types import Floats


class Sizing(Enum):
    """What a target's number means."""

    UNITS = "units"
    EQUITY_FRACTION = "equity_fraction"


@dataclass(frozen=True, slots=True)
class TradeRule:
    """How one command node becomes orders: the symbol, the meaning of its target, and the lot it is cut to; None: the
    lot of the instrument. `bracket`: the exits of what it holds; `limit`: how it enters, None: at the market;
    `weighted`: it sizes by its weight; `price`: the bars that it trades on.
    """

    command: FoldNode
    symbol: str
    sizing: Sizing
    lot: Decimal | None
    bracket: Bracket | None = None
    limit: Limit | None = None
    weighted: bool = True

    @property
    def price(self) -> StreamInput:
        inputs = (vertex for vertex in self.command.inputs if isinstance(vertex, StreamInput))
        return next(vertex for vertex in inputs if vertex.symbol == self.symbol)


def target_and_price_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    out[0] = x[0]
    out[1] = x[1]
    return True


def target_and_price_whole(
    state: list[float], params: tuple[float, ...], xs: Floats
) -> tuple[Floats, NDArray[np.bool_]]:
    return xs, np.ones(len(xs), dtype=np.bool_)


_TARGET_PARAMETERS = (
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
)
_TARGET_INPUTS = (
    InputPort("target", kinds=(SemanticKind.DECISION_VALUE, SemanticKind.COMMAND_VALUE)),
    InputPort("price", ("close",), (OHLCV,)),
)

ORDER_TARGET = Builtin(
    NodeType(
        node_type="order.target",
        code_hash="builtin:order_target@1.0",
        summary="Hold a target by market orders when it changes.",
        output=COMMAND,
        kind=SemanticKind.COMMAND_VALUE,
        parameters=_TARGET_PARAMETERS,
        inputs=_TARGET_INPUTS,
    ),
    target_and_price_step,
    whole=target_and_price_whole,
)
"""The command node that Strategy.trade makes."""

ORDER_BRACKET = Builtin(
    NodeType(
        node_type="order.bracket",
        code_hash="builtin:order_bracket@1.0",
        summary="Hold a target when it changes, entered at the market or by a limit, with exits that close it.",
        output=COMMAND,
        kind=SemanticKind.COMMAND_VALUE,
        parameters=(
            *_TARGET_PARAMETERS,
            Parameter("stop", ParameterType.TEXT, "fraction of the price; empty: none", "", minimum=0, maximum=40),
            Parameter("target", ParameterType.TEXT, "fraction of the price; empty: none", "", minimum=0, maximum=40),
            Parameter("trailing", ParameterType.TEXT, "fraction of the price; empty: none", "", minimum=0, maximum=40),
            Parameter(
                "limit_offset",
                ParameterType.TEXT,
                "fraction of the price; empty: at the market",
                "",
                minimum=0,
                maximum=40,
            ),
        ),
        inputs=_TARGET_INPUTS,
    ),
    target_and_price_step,
    whole=target_and_price_whole,
)
"""The command node that Strategy.trade makes with exits or a limit."""
