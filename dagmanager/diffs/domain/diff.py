"""What a DAG means to the graph: which nodes are new, which queues, and the assignment of each.

Pure: given what the graph knew, decide what changes and what to answer. A node is shared by all who
name it; its runtime state is not: the queue is found by ComputeKey, so by context.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from dagmanager.queues.domain import labels as labels_domain
from dagmanager.queues.domain.queues import QueueState
from qmtl.core import instants
from qmtl.core.errors import InvalidRequest, Violation
from qmtl.core.identity import canonical
from qmtl.core.identity.dag import TAGS_MAX
from qmtl.core.identity.nodes import Dag, DagNode
from qmtl.core.modes import ComputeContext, ExecutionDomain

CONTEXTS_MAX = 64
ASSIGNMENTS_MAX = 100_000

_PLACE = "blake3:0"  # no text can follow it inside its quotes, so it is found exactly once, whatever a world is called


class Disposition(Enum):
    """How a node met the graph."""

    NEW = "NEW"
    REUSED = "REUSED"
    REUSED_WITH_BUFFERING = "REUSED_WITH_BUFFERING"


_ALIVE = (QueueState.ACTIVE, QueueState.RELEASED)


@dataclass(frozen=True, slots=True)
class KnownNode:
    """What a diff needs of a stored node."""

    label: str
    schema_hash: str
    tags: tuple[str, ...] = ()
    buffering_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What the graph held when the diff began: only rows that the DAG names."""

    nodes: Mapping[str, KnownNode]
    queues: Mapping[str, QueueState]
    labels: Mapping[str, str]
    """Labels claimed for the nodes that `nodes` lacks."""
    sharers: Mapping[str, int]
    """Other live strategies by ComputeKey; absent is none."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """The graph's answer for one node in one context."""

    node_id: str
    compute_key: str
    world_id: str
    execution_domain: ExecutionDomain
    topic: str
    disposition: Disposition
    queue_reused: bool
    buffer_lag: int
    name: str
    shared_with: int


@dataclass(frozen=True, slots=True)
class NewQueue:
    """A queue that is to exist, or to live again, after the diff."""

    compute_key: str
    node: DagNode
    context: ComputeContext
    revived: bool


@dataclass(frozen=True, slots=True)
class DiffCounts:
    """Totals of a diff; nodes are counted once, queues once per context."""

    nodes: int
    new_nodes: int
    reused_nodes: int
    buffering_nodes: int
    new_queues: int
    reused_queues: int


@dataclass(frozen=True, slots=True)
class DiffOutcome:
    """Everything to write and everything to answer."""

    assignments: tuple[Assignment, ...]
    new_nodes: tuple[DagNode, ...]
    changed_schemas: tuple[DagNode, ...]
    new_tags: Mapping[str, tuple[str, ...]]
    """All tags of known nodes that this diff adds tags to, sorted."""
    new_queues: tuple[NewQueue, ...]
    counts: DiffCounts


def check_contexts(contexts: Sequence[ComputeContext], node_count: int) -> tuple[ComputeContext, ...]:
    """One context per world, sorted by world.

    Raises InvalidRequest: E_WORLD_IDS_REQUIRED, E_DUPLICATE_CONTEXT, E_TOO_MANY_ASSIGNMENTS.
    """
    worlds = [context.world_id for context in contexts]
    if not worlds or not all(worlds):
        raise _refused("E_WORLD_IDS_REQUIRED", Violation("contexts.world_id", "missing", "one context per world"))
    if len(set(worlds)) < len(worlds):
        raise _refused("E_DUPLICATE_CONTEXT", Violation("contexts.world_id", "repeated", "one context per world"))
    if len(worlds) > CONTEXTS_MAX or len(worlds) * node_count > ASSIGNMENTS_MAX:
        want = f"at most {CONTEXTS_MAX} contexts and {ASSIGNMENTS_MAX} assignments"
        found = f"{len(worlds)} contexts of {node_count} nodes"
        raise _refused("E_TOO_MANY_ASSIGNMENTS", Violation("contexts", found, want))
    return tuple(sorted(contexts, key=lambda context: context.world_id))


def compute_keys(node_ids: Sequence[str], context: ComputeContext) -> dict[str, str]:
    """The ComputeKey of each node in a context; equal to identity.compute_key, which a property test holds it to.

    Only the NodeID differs between nodes and it needs no escaping, so the rest is canonicalised once.
    """
    fields: dict[str, canonical.Json] = {
        "node_id": _PLACE,
        "world_id": context.world_id,
        "execution_domain": context.execution_domain.value,
        "as_of": instants.timestamp_text(context.as_of),
        "partition": context.partition,
    }
    before, _, after = canonical.canonical_json(fields).partition(f'"node_id":"{_PLACE}"'.encode())
    before, after = before + b'"node_id":"', b'"' + after
    return {node_id: canonical.digest(before + node_id.encode() + after) for node_id in node_ids}


def dispose(node: DagNode, known: KnownNode | None) -> Disposition:
    """How one node met the graph."""
    if known is None:
        return Disposition.NEW
    if _schema_changed(node, known) or known.buffering_since is not None:
        return Disposition.REUSED_WITH_BUFFERING
    return Disposition.REUSED


def decide(
    dag: Dag, contexts: Sequence[ComputeContext], keys: Mapping[str, Mapping[str, str]], known: Known
) -> DiffOutcome:
    """Decide a diff. `keys` are the ComputeKeys by world_id, then NodeID.

    Raises InvalidRequest (E_TOO_MANY_TAGS) when a node would carry more tags than one may.
    """
    assignments: list[Assignment] = []
    new_queues: list[NewQueue] = []
    found: dict[Disposition, list[DagNode]] = {disposition: [] for disposition in Disposition}
    for node in dag.nodes:
        stored = known.nodes.get(node.node_id)
        disposition = dispose(node, stored)
        found[disposition].append(node)
        label = known.labels[node.node_id] if stored is None else stored.label
        lag = node.spec.period if disposition is Disposition.REUSED_WITH_BUFFERING else 0
        for context in contexts:
            key = keys[context.world_id][node.node_id]
            state = known.queues.get(key)
            topic = labels_domain.shown(context.world_id, context.execution_domain, label)
            if state is not QueueState.ACTIVE:
                new_queues.append(NewQueue(key, node, context, revived=state is not None))
            assignments.append(
                Assignment(
                    node.node_id, key, context.world_id, context.execution_domain, topic, disposition,
                    state in _ALIVE, lag, node.name, known.sharers.get(key, 0),
                )
            )  # fmt: skip
    return DiffOutcome(
        assignments=tuple(assignments),
        new_nodes=tuple(found[Disposition.NEW]),
        changed_schemas=tuple(node for node in dag.nodes if _schema_changed(node, known.nodes.get(node.node_id))),
        new_tags=_new_tags(dag.nodes, known.nodes),
        new_queues=tuple(new_queues),
        counts=_counts(found, assignments),
    )


def settled(outcome: DiffOutcome) -> DiffOutcome:
    """The answer to the same question once this diff is stored: nothing is new any more."""
    if not outcome.new_nodes and not outcome.new_queues:
        return outcome
    assignments = tuple(
        replace(
            assignment,
            queue_reused=True,
            disposition=Disposition.REUSED if assignment.disposition is Disposition.NEW else assignment.disposition,
        )
        for assignment in outcome.assignments
    )
    counts = replace(
        outcome.counts,
        new_nodes=0,
        reused_nodes=outcome.counts.reused_nodes + outcome.counts.new_nodes,
        new_queues=0,
        reused_queues=len(assignments),
    )
    return DiffOutcome(assignments, (), (), {}, (), counts)


def _counts(found: Mapping[Disposition, Sequence[DagNode]], assignments: Sequence[Assignment]) -> DiffCounts:
    reused = sum(assignment.queue_reused for assignment in assignments)
    new, same, buffering = (len(found[disposition]) for disposition in Disposition)
    return DiffCounts(
        nodes=new + same + buffering,
        new_nodes=new,
        reused_nodes=same,
        buffering_nodes=buffering,
        new_queues=len(assignments) - reused,
        reused_queues=reused,
    )


def _schema_changed(node: DagNode, known: KnownNode | None) -> bool:
    """An empty schema hash claims nothing, so it changes nothing."""
    return known is not None and bool(node.schema_hash) and node.schema_hash != known.schema_hash


def _new_tags(nodes: Sequence[DagNode], known: Mapping[str, KnownNode]) -> dict[str, tuple[str, ...]]:
    """Tags only accumulate: whoever shares a node may make it findable by one more word."""
    added = {}
    for node in nodes:
        stored = known.get(node.node_id)
        if stored is None or stored.tags == node.tags or set(stored.tags).issuperset(node.tags):
            continue
        tags = tuple(sorted({*stored.tags, *node.tags}))
        if len(tags) > TAGS_MAX:
            found = f"{len(tags)} tags on {node.name or node.node_id}"
            raise _refused("E_TOO_MANY_TAGS", Violation("dag.nodes.tags", found, f"at most {TAGS_MAX}"))
        added[node.node_id] = tags
    return added


def _refused(reason: str, violation: Violation) -> InvalidRequest:
    return InvalidRequest(reason, str(violation), violations=(violation,))
