"""The World View Graph: how one world sees the nodes and edges of the graph, and what was found valid in it.

Validations are immutable results under their EvalKey; any change of what the key is made of is another key.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from qmtl.core.errors import InvalidRequest, Violation
from qmtl.core.modes import ExecutionDomain

NODE_ID = re.compile(r"blake3:[0-9a-f]{64}")
TEXT_MAX = 200
ENTRIES_MAX = 64


class NodeStatus(Enum):
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
    world_id: str
    node_id: str
    domain: ExecutionDomain
    status: NodeStatus
    last_eval_key: str
    annotations: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Validation:
    eval_key: str
    world_id: str
    node_id: str
    domain: ExecutionDomain
    valid: bool
    metrics: Mapping[str, float]
    validated_at: datetime


@dataclass(frozen=True, slots=True)
class EdgeOverride:
    world_id: str
    from_node_id: str
    to_node_id: str
    active: bool
    reason: str


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


def check_override(override: EdgeOverride) -> None:
    """Raises InvalidRequest (E_NODE_ID, E_EDGE, E_FIELD)."""
    require_node_id(override.from_node_id, "override.from_node_id")
    require_node_id(override.to_node_id, "override.to_node_id")
    if override.from_node_id == override.to_node_id:
        raise _refused("E_EDGE", "override.to_node_id", override.to_node_id, "another node than from_node_id")
    if len(override.reason) > TEXT_MAX or not override.reason.isprintable():
        raise _refused("E_FIELD", "override.reason", override.reason[:80], f"up to {TEXT_MAX} printable characters")


def _refused(reason: str, field: str, value: str, want: str) -> InvalidRequest:
    shown = value[:80]
    return InvalidRequest(reason, f"{field} is {shown!r}, want {want}", violations=[Violation(field, shown, want)])
