"""Topic labels: short names of a node's queues that people can read; never used to address anything.

`{asset}_{node_type}_{short}_{version}`, shown as `{world}.{domain}.{label}`. Two nodes never share a label:
the later one takes more of its digest.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from qmtl.core.identity.nodes import DagNode
from qmtl.core.modes import ExecutionDomain

SHORT_CHARS = 8
SHORT_STEP = 2
PART_CHARS_MAX = 60  # keeps a whole label below 256 characters whatever the tags are
DIGEST_CHARS = 64
DEFAULT_ASSET = "asset"
DEFAULT_VERSION = "v1"

_UNUSABLE = re.compile(r"[^A-Za-z0-9_.-]+", re.ASCII)

Holders = Callable[[Collection[str]], Mapping[str, str]]
"""Answers label -> NodeID for those of the given labels that a node holds already."""


def shown(world_id: str, execution_domain: ExecutionDomain, label: str) -> str:
    """The namespaced form of a label."""
    return f"{world_id}.{execution_domain.value.lower()}.{label}"


def candidates(node: DagNode, version_label: str) -> Iterator[str]:
    """Labels for a node in order of preference, each with more of the digest; the last has all of it."""
    asset = _part(node.tags[0] if node.tags else "", DEFAULT_ASSET)
    kind = _part(node.spec.node_type, "node")
    version = _part(version_label, DEFAULT_VERSION)
    digest = node.node_id.rpartition(":")[2]
    for chars in range(SHORT_CHARS, DIGEST_CHARS + 1, SHORT_STEP):
        yield f"{asset}_{kind}_{digest[:chars]}_{version}"


def claim_labels(nodes: Sequence[DagNode], version_label: str, holders: Holders) -> dict[str, str]:
    """A label for each node that no other node holds, neither in the graph nor in this batch.

    Ties inside a batch go to the smaller NodeID, so that the answer does not depend on upload order.
    """
    wanted = {node.node_id: candidates(node, version_label) for node in sorted(nodes, key=lambda node: node.node_id)}
    claimed: dict[str, str] = {}
    taken: dict[str, str] = {}
    while wanted:
        round_labels = {node_id: next(labels) for node_id, labels in wanted.items()}
        held = holders(set(round_labels.values()))
        for node_id, label in round_labels.items():
            if held.get(label, node_id) == node_id and taken.setdefault(label, node_id) == node_id:
                claimed[node_id] = label
                del wanted[node_id]
    return claimed


def _part(text: str, default: str) -> str:
    return _UNUSABLE.sub("-", text)[:PART_CHARS_MAX] or default
