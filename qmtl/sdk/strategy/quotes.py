"""How a quote intent becomes orders: the market, the inventory that it may come to, and how that leans the quotes."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from qmtl.core.errors import refused
from qmtl.core.identity.nodes import SemanticKind
from qmtl.sdk.graph.builtins import Builtin
from qmtl.sdk.graph.fold import Vector
from qmtl.sdk.graph.node_types import InputPort, NodeType, Parameter, ParameterType
from qmtl.sdk.graph.schemas import OHLCV, QUOTE_COMMAND, QUOTE_INTENT
from qmtl.sdk.graph.vertices import FoldNode, StreamInput


@dataclass(frozen=True, slots=True)
class QuoteRule:
    """How one command node becomes two quotes. `longest` and `shortest` bound the signed inventory, in units, before
    any weight; `skew`: by how many half spreads both quotes lean against an inventory that is full; `post_only`: quotes
    rest or are refused.
    """

    command: FoldNode
    price: StreamInput
    longest: Decimal
    shortest: Decimal
    skew: Decimal
    post_only: bool = True

    @property
    def symbol(self) -> str:
        return self.price.symbol


def order_quote_step(state: Vector, params: Vector, x: Vector, out: Vector) -> bool:
    out[0], out[1], out[2], out[3] = x[0], x[1], x[2], x[3]
    return True


_UNITS = "units of the asset"
ORDER_QUOTE = Builtin(
    NodeType(
        node_type="order.quote",
        code_hash="builtin:order_quote@1.0",
        summary="Quote both sides by limit orders that are replaced when the quotes change.",
        output=QUOTE_COMMAND,
        kind=SemanticKind.COMMAND_VALUE,
        parameters=(
            Parameter("symbol", ParameterType.TEXT, "symbol of the market", minimum=1, maximum=100),
            Parameter("longest", ParameterType.TEXT, _UNITS, minimum=1, maximum=40),
            Parameter("shortest", ParameterType.TEXT, _UNITS, minimum=1, maximum=40),
            Parameter("skew", ParameterType.TEXT, "half spreads", "1", minimum=1, maximum=40),
            Parameter("post_only", ParameterType.BOOLEAN, "whether quotes only rest", True),
        ),
        inputs=(
            InputPort("intent", QUOTE_INTENT.fields, (QUOTE_INTENT,), (SemanticKind.DECISION_VALUE,)),
            InputPort("price", ("close",), (OHLCV,)),
        ),
    ),
    order_quote_step,
)
"""The command node that Strategy.quote makes."""


def units(field: str, given: str | Decimal, *, least: Decimal | None = None) -> Decimal:
    """A finite decimal, of at least `least`. Raises InvalidRequest (E_FIELD), also for a float."""
    if isinstance(given, float):
        raise refused("E_FIELD", field, repr(given), f'decimal text, "{given!r}"')
    try:
        value = Decimal(given)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or (least is not None and value < least):
        bound = "" if least is None else f" of at least {least}"
        raise refused("E_FIELD", field, repr(given), f"decimal text{bound}")
    return value
