"""The checks of a submitted DAG: size, fields, order, leakage and NodeIDs."""

from __future__ import annotations

import heapq
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import orjson

from qmtl.core.errors import InvalidRequest, Violation
from qmtl.core.identity import canonical, keys
from qmtl.core.identity.nodes import Dag, DagNode, SemanticKind

TAG = re.compile(r"[A-Za-z0-9_.-]{1,100}", re.ASCII)
NODES_MAX = 10_000
EDGES_MAX = 200_000
NAMED_MAX = 10  # how many nodes an error names
SHOWN_MAX = 3  # how many violations its message repeats
TAGS_MAX = 32
TEXT_MAX = 200


_ACTS = (SemanticKind.DECISION_VALUE, SemanticKind.COMMAND_VALUE)


def check_dag(nodes: Sequence[DagNode], forms: Mapping[str, bytes] | None = None) -> Dag:
    """Check everything that can be known without the graph.

    `forms` has canonical forms by NodeID of nodes whose id and spec were found to agree before; they are trusted.
    Raises InvalidRequest: E_DAG_EMPTY, E_TOO_MANY_NODES, E_NODE_FIELDS, E_DUPLICATE_NODE, E_UNKNOWN_DEPENDENCY,
    E_CYCLE, E_DELAYED_STREAM_LEAK, E_NODE_ID_FIELDS, E_NODE_ID_MISMATCH.
    """
    _check_size(nodes)
    by_id = _index(nodes)
    for index, node in enumerate(nodes):
        _check_fields(node, index)
    order = topological_order({node.node_id: node.spec.dependencies for node in nodes})
    ordered = tuple(by_id[node_id] for node_id in order)
    place = {node.node_id: index for index, node in enumerate(nodes)}
    _check_leakage(ordered, by_id, place)
    return Dag(ordered, _checked_forms(ordered, forms or {}, place), dag_digest(ordered))


def check_node_count(count: int) -> None:
    """Refuse an empty or oversized DAG before anything is made of it. Raises E_DAG_EMPTY, E_TOO_MANY_NODES."""
    if count == 0:
        raise _refused("E_DAG_EMPTY", [Violation("dag.nodes", "empty", "at least one node")])
    if count > NODES_MAX:
        raise _refused("E_TOO_MANY_NODES", [Violation("dag.nodes", f"{count} nodes", f"at most {NODES_MAX}")])


def topological_order(dependencies: Mapping[str, Iterable[str]]) -> list[str]:
    """Every node after its dependencies, ties by NodeID.

    Raises InvalidRequest: E_UNKNOWN_DEPENDENCY naming node and dependency, E_CYCLE naming one cycle.
    """
    inputs = {node_id: set(wanted) for node_id, wanted in dependencies.items()}
    users: dict[str, list[str]] = {node_id: [] for node_id in inputs}
    for node_id, wanted in inputs.items():
        for dependency in wanted:
            if dependency not in users:
                raise _unknown_dependency(dependencies)
            users[dependency].append(node_id)
    waiting = {node_id: len(wanted) for node_id, wanted in inputs.items()}
    ready = [node_id for node_id, count in waiting.items() if count == 0]
    heapq.heapify(ready)
    order = []
    while ready:
        node_id = heapq.heappop(ready)
        order.append(node_id)
        for user in users[node_id]:
            waiting[user] -= 1
            if waiting[user] == 0:
                heapq.heappush(ready, user)
    if len(order) < len(inputs):
        raise _cycle(list(inputs), {node_id: inputs[node_id] for node_id, count in waiting.items() if count > 0})
    return order


def dag_digest(nodes: Iterable[DagNode]) -> str:
    """One digest over all that a plan stores of the DAG; independent of upload and tag order."""
    rows = sorted(
        [
            node.node_id,
            node.schema_hash,
            node.queue_class.value,
            node.kind.value,
            node.name,
            sorted(node.tags),
            [list(pair) for pair in node.inputs],
        ]
        for node in nodes
    )
    try:
        # Only lists and strings: for these orjson writes what RFC 8785 asks, ten times faster.
        return canonical.digest(orjson.dumps(rows))
    except TypeError:
        return canonical.digest(canonical.canonical_json(rows))  # says what is wrong with a text


def _check_size(nodes: Sequence[DagNode]) -> None:
    check_node_count(len(nodes))
    edges = sum(len(node.spec.dependencies) for node in nodes)
    if edges > EDGES_MAX:
        raise _refused("E_TOO_MANY_EDGES", [Violation("dag.nodes", f"{edges} edges", f"at most {EDGES_MAX}")])


def _index(nodes: Sequence[DagNode]) -> dict[str, DagNode]:
    by_id = {node.node_id: node for node in nodes}
    if len(by_id) == len(nodes):
        return by_id
    counts = Counter(node.node_id for node in nodes)
    twice = sorted(node_id for node_id, count in counts.items() if count > 1)
    raise _refused(
        "E_DUPLICATE_NODE",
        [
            Violation(f"dag.nodes[{index}].node_id", node.node_id, "each NodeID once")
            for index, node in enumerate(nodes)
            if counts[node.node_id] > 1
        ],
        hint="two nodes with equal fields are one node: send it once and let both users depend on it",
        nodes=twice,
    )


def _check_fields(node: DagNode, index: int) -> None:
    spec = node.spec
    wrong: list[tuple[str, object, str]] = []
    for field, text in (("spec.node_type", spec.node_type), ("schema_hash", node.schema_hash), ("name", node.name)):
        if len(text) > TEXT_MAX:
            wrong.append((field, text, f"at most {TEXT_MAX} characters"))
    if len(node.tags) > TAGS_MAX:
        wrong.append(("tags", f"{len(node.tags)} tags", f"at most {TAGS_MAX}"))
    wrong.extend(
        (f"tags[{at}]", tag, f"the form {TAG.pattern}") for at, tag in enumerate(node.tags) if not TAG.fullmatch(tag)
    )
    if node.inputs and {node_id for _, node_id in node.inputs} != set(spec.dependencies):
        wrong.append(("input_ids", "another set", "the same set as spec.dependencies"))
    if wrong:
        raise InvalidRequest(
            "E_NODE_FIELDS",
            f"node {node.name or node.node_id}: "
            + "; ".join(f"{field} is {value!r:.120}" for field, value, _ in wrong),
            violations=[
                Violation(f"dag.nodes[{index}].{field}", f"{value!r:.120}", want) for field, value, want in wrong
            ],
            metadata={"nodes": node.node_id},
        )


def _check_leakage(ordered: Sequence[DagNode], by_id: Mapping[str, DagNode], place: Mapping[str, int]) -> None:
    """A delayed stream may train an artifact; no other path from it may end in a decision or a command."""
    delayed_by: dict[str, str] = {}
    for node in ordered:
        if node.kind is SemanticKind.IMMUTABLE_ARTIFACT:
            continue
        if node.kind is SemanticKind.DELAYED_STREAM:
            delayed_by[node.node_id] = ""
            continue
        source = next((dep for dep in node.spec.dependencies if dep in delayed_by), None)
        if source is None:
            continue
        delayed_by[node.node_id] = source
        if node.kind in _ACTS:
            path = [node.node_id]
            while path[-1] and delayed_by[path[-1]]:
                path.append(delayed_by[path[-1]])
            raise _refused(
                "E_DELAYED_STREAM_LEAK",
                [
                    Violation(
                        f"dag.nodes[{place[node.node_id]}].kind",
                        " <- ".join(by_id[node_id].name or node_id for node_id in path[:NAMED_MAX]),
                        "no path from a delayed stream to a decision or command",
                    )
                ],
                hint="a label knows the future of its own event time; only an artifact may be made from it",
                nodes=path,
            )


def _checked_forms(nodes: Sequence[DagNode], known: Mapping[str, bytes], place: Mapping[str, int]) -> tuple[bytes, ...]:
    """The canonical forms, in step. Raises InvalidRequest (E_NODE_ID_FIELDS, E_NODE_ID_MISMATCH)."""
    forms = tuple(known.get(node.node_id) or _form(node, place[node.node_id]) for node in nodes)
    wrong = sorted(
        (place[node.node_id], node, form)
        for node, form in zip(nodes, forms, strict=True)
        if node.node_id not in known and canonical.digest(form) != node.node_id
    )
    if wrong:
        index, _, form = wrong[0]
        raise _refused(
            "E_NODE_ID_MISMATCH",
            [
                Violation(f"dag.nodes[{at}].node_id", node.node_id, f"{canonical.digest(made)}, of its own fields")
                for at, node, made in wrong
            ],
            hint="compute NodeIDs as docs/identity.md says; the canonical bytes of the first are in the metadata",
            nodes=[node.node_id for _, node, _ in wrong],
            metadata={"index": str(index), "expected": canonical.digest(form), "canonical": form.decode()},
        )
    return forms


def _form(node: DagNode, index: int) -> bytes:
    """A node's canonical form; what is wrong with its fields is said with the whole path."""
    try:
        return keys.canonical_form(node.spec)
    except InvalidRequest as error:
        prefix = f"dag.nodes[{index}].spec."
        whole = [Violation(prefix + found.field, found.value, found.want) for found in error.violations]
        raise InvalidRequest(
            error.reason,
            f"node {node.name or node.node_id}: {error.message}",
            hint=error.hint,
            violations=whole,
            metadata={"nodes": node.node_id},
        ) from None


def _unknown_dependency(inputs: Mapping[str, Iterable[str]]) -> InvalidRequest:
    missing = [
        (index, at, node_id, dependency)
        for index, (node_id, wanted) in enumerate(inputs.items())
        for at, dependency in enumerate(wanted)
        if dependency not in inputs
    ]
    return _refused(
        "E_UNKNOWN_DEPENDENCY",
        [
            Violation(
                f"dag.nodes[{index}].spec.dependencies[{at}]",
                f"{dependency}, needed by {node_id}",
                "the NodeID of a node of the same DAG",
            )
            for index, at, node_id, dependency in missing
        ],
        hint="submit the whole DAG: every input is a node of it",
        nodes=[node_id for _, _, node_id, _ in missing],
    )


def _cycle(order: Sequence[str], inputs: Mapping[str, set[str]]) -> InvalidRequest:
    """Walk backwards among the nodes that never became ready: each has an input there, so a node must repeat."""
    path: list[str] = []
    reached: dict[str, int] = {}
    at = min(inputs)
    while at not in reached:
        reached[at] = len(path)
        path.append(at)
        at = min(dependency for dependency in inputs[at] if dependency in inputs)
    cycle = path[reached[at] :]
    place = {node_id: index for index, node_id in enumerate(order)}
    shown = _named(cycle)
    return _refused(
        "E_CYCLE",
        [Violation(f"dag.nodes[{place[node_id]}].spec.dependencies", shown, "no cycle") for node_id in cycle],
        hint="feedback is time-shifted state, never an edge back",
        nodes=cycle,
    )


def _named(nodes: Sequence[str]) -> str:
    shown = ", ".join(nodes[:NAMED_MAX])
    return shown if len(nodes) <= NAMED_MAX else f"{shown} and {len(nodes) - NAMED_MAX} more"


def _refused(
    reason: str,
    violations: Sequence[Violation],
    *,
    hint: str = "",
    nodes: Sequence[str] = (),
    metadata: Mapping[str, str] | None = None,
) -> InvalidRequest:
    """The error of all that is wrong in one way; the message has the first few, the violations all."""
    shown = "; ".join(map(str, violations[:SHOWN_MAX]))
    more = f" and {len(violations) - SHOWN_MAX} more" if len(violations) > SHOWN_MAX else ""
    named = {"nodes": ",".join(nodes[:NAMED_MAX])} if nodes else {}
    return InvalidRequest(
        reason, shown + more, hint=hint, violations=violations, metadata={**named, **(metadata or {})}
    )
