"""State of one account as a stream: what a strategy held at the close of the bar before.

A graph that reads it has values only in step with an account. Streams that are shared never depend on it.
"""

from __future__ import annotations

from qmtl.core.identity.keys import NodeSpec
from qmtl.core.identity.nodes import SemanticKind
from qmtl.sdk.graph.node_types import InputPort, NodeType, Parameter, ParameterType
from qmtl.sdk.graph.schemas import OHLCV, POSITION
from qmtl.sdk.graph.vertices import StreamInput, Vertex

POSITION_TYPE = NodeType(
    node_type="account.position",
    code_hash="builtin:position@1.0",
    summary="What the strategy held of a symbol at the close of the bar before.",
    output=POSITION,
    kind=SemanticKind.MUTABLE_EXECUTION_STATE,
    parameters=(Parameter("symbol", ParameterType.TEXT, "symbol of the market", minimum=1, maximum=100),),
    inputs=(InputPort("price", ("close",), (OHLCV,)),),
)


class PositionState(Vertex):
    """The position in the symbol of `price`, a row per bar of it: the state at the close of the bar before, all 0 while
    nothing is held. `Strategy.position` makes it.

    quantity: units, negative when short; average_price: quote currency per unit; unrealised: quote currency, at that
    close; bars_held: closes in a row, that one included, at which the position was on this side.
    """

    __slots__ = ("symbol",)

    def __init__(self, price: StreamInput, *, name: str = "") -> None:
        self.symbol = price.symbol
        spec = NodeSpec(
            node_type=POSITION_TYPE.node_type,
            interval_s=price.interval_s,
            period=1,
            params={"symbol": price.symbol, "inputs": [[price.node_id, "close"]]},
            dependencies=(price.node_id,),
            schema_compat_id=POSITION.compat_id,
            code_hash=POSITION_TYPE.code_hash,
        )
        label = (name or "position", bool(name), price.tags)
        super().__init__(spec, {"price": price}, POSITION, SemanticKind.MUTABLE_EXECUTION_STATE, label)

    @property
    def quantity(self) -> Vertex:
        """Units held, negative when short, as a stream."""
        return self.field("quantity")

    @property
    def average_price(self) -> Vertex:
        """Average price of what is held, as a stream; 0 while nothing is."""
        return self.field("average_price")

    @property
    def unrealised(self) -> Vertex:
        """Profit of what is held at the close, without fees, as a stream."""
        return self.field("unrealised")

    @property
    def bars_held(self) -> Vertex:
        """Closes in a row at which it was on this side, as a stream."""
        return self.field("bars_held")
