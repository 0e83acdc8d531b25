"""The World View Graph: how one world sees the nodes and edges of the graph, and what was found valid in it.

Validations are immutable results under their EvalKey; any change of what the key is made of is another key.
"""

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from qmtl.core.errors import InvalidRequest, Violation
from qmtl.core.modes import ExecutionDomain

NODE_ID = re.compile(r"blake3:[0-9a-f]{64}")
TEXT_MAX = 200
ENTRIES_MAX = 64
NODES_MAX = 10_000  # of one strategy, as dagmanager has it


class NodeStatus(Enum):
    """How a world sees a node in one domain."""

    UNKNOWN = "UNKNOWN"
    VALIDATING = "VALIDATING"
    VALID = "VALID"
    INVALID = "INVALID"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    STOPPED = "STOPPED"
    ARCHIVED = "ARCHIVED"


@dataclass(frozen=True, slots=True)
class WorldNode:
    """A node of the graph as one world sees it in one domain."""

    world_id: str
    node_id: str
    domain: ExecutionDomain
    status: NodeStatus
    last_eval_key: str
    annotations: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Validation:
    """A result that was found under an EvalKey."""

    eval_key: str
    world_id: str
    node_id: str
    domain: ExecutionDomain
    valid: bool
    metrics: Mapping[str, float]
    validated_at: datetime


@dataclass(frozen=True, slots=True)
class EdgeKey:
    """An edge of a world: from a node in a domain to another, mostly in the same."""

    world_id: str
    from_node_id: str
    from_domain: ExecutionDomain
    to_node_id: str
    to_domain: ExecutionDomain

    def __str__(self) -> str:
        ends = (short(self.from_node_id), short(self.to_node_id))
        if self.from_domain is self.to_domain:
            return f"{ends[0]} -> {ends[1]} in {self.to_domain.value}"
        return f"{ends[0]} in {self.from_domain.value} -> {ends[1]} in {self.to_domain.value}"


@dataclass(frozen=True, slots=True)
class EdgeOverride:
    """An edge switched on or off. Edges within a domain are on unless switched off, others off unless switched on."""

    key: EdgeKey
    active: bool
    reason: str

    @property
    def cuts(self) -> bool:
        """Whether it takes from strategies what they would have without it."""
        return not self.active and self.key.from_domain is self.key.to_domain


def require_node_id(value: str, field: str) -> str:
    """Raises InvalidRequest (E_NODE_ID)."""
    if NODE_ID.fullmatch(value) is None:
        raise _refused("E_NODE_ID", field, value, "blake3: and 64 hex digits")
    return value


def check_node(node: WorldNode) -> None:
    """Raises InvalidRequest (E_NODE_ID, E_ANNOTATIONS)."""
    require_node_id(node.node_id, "node.node_id")
    if node.last_eval_key:
        require_node_id(node.last_eval_key, "node.last_eval_key")
    if len(node.annotations) > ENTRIES_MAX:
        raise _refused("E_ANNOTATIONS", "node.annotations", f"{len(node.annotations)}", f"at most {ENTRIES_MAX}")
    for key, value in node.annotations.items():
        if not 0 < len(key) <= TEXT_MAX or len(value) > TEXT_MAX or not (key + value).isprintable():
            raise _refused("E_ANNOTATIONS", "node.annotations", key, f"up to {TEXT_MAX} printable characters")


def check_validation(validation: Validation) -> None:
    """Raises InvalidRequest (E_NODE_ID, E_METRIC_VALUE)."""
    require_node_id(validation.node_id, "parts.node_id")
    if len(validation.metrics) > ENTRIES_MAX:
        raise _refused("E_METRIC_VALUE", "metrics", f"{len(validation.metrics)} entries", f"at most {ENTRIES_MAX}")
    for name, value in validation.metrics.items():
        if not 0 < len(name) <= TEXT_MAX or not name.isprintable() or not math.isfinite(value):
            raise _refused("E_METRIC_VALUE", f"metrics.{name[:80]}", str(value), "a name and a finite number")


def short(node_id: str) -> str:
    """Enough of a NodeID for a person to tell it from others."""
    return node_id[: len("blake3:") + 12]


def require_node_ids(node_ids: Collection[str], field: str) -> frozenset[str]:
    """Raises InvalidRequest (E_NODE_ID, E_TOO_MANY_NODES)."""
    if len(node_ids) > NODES_MAX:
        raise _refused("E_TOO_MANY_NODES", field, f"{len(node_ids)} nodes", f"at most {NODES_MAX}")
    return frozenset(require_node_id(node_id, field) for node_id in node_ids)


def check_edge(key: EdgeKey, field: str) -> None:
    """Raises InvalidRequest (E_NODE_ID, E_EDGE): nothing is shadowed, so nothing would heed an edge there."""
    require_node_id(key.from_node_id, f"{field}from_node_id")
    require_node_id(key.to_node_id, f"{field}to_node_id")
    if key.from_node_id == key.to_node_id:
        raise _refused("E_EDGE", f"{field}to_node_id", key.to_node_id, "another node than from_node_id")
    for name, domain in (("from_domain", key.from_domain), ("to_domain", key.to_domain)):
        if domain is ExecutionDomain.SHADOW:
            raise _refused("E_EDGE", f"{field}{name}", domain.value, "BACKTEST, DRYRUN or LIVE")


def check_override(override: EdgeOverride) -> None:
    """Raises InvalidRequest (E_NODE_ID, E_EDGE, E_FIELD)."""
    check_edge(override.key, "override.")
    if len(override.reason) > TEXT_MAX or not override.reason.isprintable():
        raise _refused("E_FIELD", "override.reason", override.reason[:80], f"up to {TEXT_MAX} printable characters")


def _refused(reason: str, field: str, value: str, want: str) -> InvalidRequest:
    shown = value[:80]
    return InvalidRequest(reason, f"{field} is {shown!r}, want {want}", violations=[Violation(field, shown, want)])
