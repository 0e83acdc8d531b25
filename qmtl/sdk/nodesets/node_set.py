"""A node set: a black box of nodes and rules that a strategy adds whole, and what it says of itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

from qmtl.core.errors import InvalidRequest
from qmtl.core.identity.canonical import Json
from qmtl.core.identity.nodes import SemanticKind
from qmtl.sdk.graph.vertices import StreamInput, Vertex
from qmtl.sdk.strategy.strategy import Strategy


class Guard(Enum):
    """What `attach` does with a signal that comes of a label: refuse it, log it, or nothing.

    Whatever it is: a graph in which a label reaches an order is refused when the strategy is built and when submitted.
    """

    BLOCK = "block"
    WARN = "warn"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a node set can do. `order_types` empty: it sends none; `options`: what `attach` takes, with the defaults."""

    sides: tuple[str, ...]
    order_types: tuple[str, ...]
    exits: tuple[str, ...]
    portfolio_scopes: tuple[str, ...]
    domains: tuple[str, ...]
    options: Mapping[str, Json]


Attaching = Callable[[Strategy], None]


@dataclass(frozen=True, slots=True, eq=False)
class NodeSet:
    """A part of a strategy: `self.add_nodes(nodesets.attach(...))` in `setup`. `chosen`: its options as given."""

    name: str
    summary: str
    signal: Vertex
    price: StreamInput
    chosen: Mapping[str, Json]
    can: Capabilities
    attaching: Attaching

    def add_to(self, strategy: Strategy) -> None:
        """Add its nodes and rules. Raises what trade, quote and the builders of its nodes raise."""
        self.attaching(strategy)

    def capabilities(self) -> Capabilities:
        """What it can do."""
        return self.can

    def describe(self) -> dict[str, Json]:
        """Name, summary, signal, market and options, as JSON."""
        return {
            "name": self.name,
            "summary": self.summary,
            "signal": self.signal.name,
            "symbol": self.price.symbol,
            "interval_s": self.price.interval_s,
            "options": dict(self.chosen),
        }


def label_path(signal: Vertex) -> list[Vertex]:
    """The vertices from a label to the signal, the label first; empty: no label is behind it."""
    if signal.kind is SemanticKind.IMMUTABLE_ARTIFACT:
        return []
    for item in signal.inputs:
        if found := label_path(item):
            return [*found, signal]
    return [signal] if signal.kind is SemanticKind.DELAYED_STREAM else []


def leak(path: list[Vertex], name: str) -> InvalidRequest:
    """The refusal of a signal that a label is behind."""
    shown = " -> ".join(vertex.name for vertex in path)
    return InvalidRequest(
        "E_DELAYED_STREAM_LEAK",
        f"the signal of {name} comes of a delayed stream by {shown}",
        hint="a label knows the future of its own event time; only an artifact may be made from it",
        metadata={"path": shown},
    )
