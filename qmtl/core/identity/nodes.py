"""Nodes of a DAG as submitted, and a DAG whose checks passed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from qmtl.core.identity.keys import NodeSpec


class QueueClass(Enum):
    """Declared use of a node's output; decides how long its queue is kept."""

    RAW = "RAW"
    INDICATOR = "INDICATOR"
    TRADE = "TRADE"


class SemanticKind(Enum):
    """What a node's values are."""

    CAUSAL_STREAM = "CAUSAL_STREAM"
    DELAYED_STREAM = "DELAYED_STREAM"
    IMMUTABLE_ARTIFACT = "IMMUTABLE_ARTIFACT"
    MUTABLE_EXECUTION_STATE = "MUTABLE_EXECUTION_STATE"
    DECISION_VALUE = "DECISION_VALUE"
    COMMAND_VALUE = "COMMAND_VALUE"


@dataclass(frozen=True, slots=True)
class DagNode:
    """One node as submitted. `inputs` are (name, NodeID) in call order, for display."""

    node_id: str
    spec: NodeSpec
    queue_class: QueueClass
    kind: SemanticKind
    schema_hash: str = ""
    tags: tuple[str, ...] = ()
    name: str = ""
    inputs: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Dag:
    """A checked DAG: `nodes` in topological order, ties by NodeID; `forms` are their canonical forms, in step."""

    nodes: tuple[DagNode, ...]
    forms: tuple[bytes, ...]
    digest: str

    @property
    def node_ids(self) -> tuple[str, ...]:
        """NodeIDs in topological order."""
        return tuple(node.node_id for node in self.nodes)
