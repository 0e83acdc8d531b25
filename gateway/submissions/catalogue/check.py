"""The check of a submitted DAG against the node catalogue: names, inputs, and every built-in's parameters.

A node of an author's own code is checked for its name and inputs only. A refusal names the node's place in the request.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from gateway.submissions.catalogue.node_types import InputPort, NodeCatalogue, NodeType
from qmtl.core.errors import InvalidRequest, Violation
from qmtl.core.identity.canonical import Json
from qmtl.core.identity.keys import TAG_QUERY
from qmtl.core.identity.nodes import DagNode, SemanticKind

BUILTIN = "builtin:"
COLUMNS = "inputs"
VIOLATIONS_MAX = 20
Wrong = tuple[str, Violation]


def check_nodes(nodes: Sequence[DagNode], catalogue: NodeCatalogue) -> None:
    """Check the nodes of a DAG in the order of the request.

    Raises InvalidRequest with the reason of the first wrong node: E_NODE_NAME, E_NODE_FIELDS, E_NODE_TYPE_UNKNOWN,
    E_NODE_PARAMETER, E_INPUT_SCHEMA; its violations name up to 20.
    """
    by_id = {node.node_id: node for node in nodes}
    taken: dict[str, int] = {}
    found: list[Wrong] = []
    for index, node in enumerate(nodes):
        path = f"dag.nodes[{index}]"
        found.extend(_wrong_name(path, node, taken, index))
        found.extend(_wrong_inputs(path, node))
        if node.spec.code_hash.startswith(BUILTIN):
            found.extend(_wrong_builtin(path, node, by_id, catalogue))
        if len(found) >= VIOLATIONS_MAX:
            break
    if found:
        reason, first = found[0]
        violations = tuple(violation for _, violation in found[:VIOLATIONS_MAX])
        raise InvalidRequest(reason, str(first), violations=violations)


def _wrong_name(path: str, node: DagNode, taken: dict[str, int], index: int) -> Iterator[Wrong]:
    if not node.name.strip():
        yield "E_NODE_NAME", Violation(f"{path}.name", "empty", "a name")
    elif (before := taken.setdefault(node.name, index)) != index:
        yield "E_NODE_NAME", Violation(f"{path}.name", repr(node.name), f"a name that dag.nodes[{before}] has not")


def _wrong_inputs(path: str, node: DagNode) -> Iterator[Wrong]:
    if node.spec.dependencies and not node.inputs:
        yield "E_NODE_FIELDS", Violation(f"{path}.input_ids", "empty", "the NodeIDs of spec.dependencies in call order")


def _wrong_builtin(path: str, node: DagNode, by_id: Mapping[str, DagNode], catalogue: NodeCatalogue) -> Iterator[Wrong]:
    spec = node.spec
    known = catalogue.types.get(spec.code_hash)
    if known is None:
        yield "E_NODE_TYPE_UNKNOWN", Violation(f"{path}.spec.code_hash", spec.code_hash, "that of a built-in node type")
        return
    schema = "" if known.node_type == TAG_QUERY else known.output_schema
    fields = (
        ("E_NODE_TYPE_UNKNOWN", "spec.node_type", spec.node_type, known.node_type),
        ("E_NODE_FIELDS", "kind", node.kind.value, _kind(node, known, by_id).value),
        ("E_NODE_FIELDS", "spec.schema_compat_id", spec.schema_compat_id, schema),
    )
    yield from ((reason, Violation(f"{path}.{at}", has, want)) for reason, at, has, want in fields if has != want)
    wrong = list(_wrong_params(f"{path}.spec.params", spec.params, known))
    yield from wrong
    if not wrong and known.period is not None and spec.period != known.period.of(spec.params):
        want = f"{known.period.of(spec.params)}, by its parameters"
        yield "E_NODE_PARAMETER", Violation(f"{path}.spec.period", str(spec.period), want)
    if known.inputs:
        yield from _wrong_columns(f"{path}.spec.params.{COLUMNS}", node, known, by_id, catalogue)


def _kind(node: DagNode, known: NodeType, by_id: Mapping[str, DagNode]) -> SemanticKind:
    """The kind of a node of a known type: what reads one account's state is such a state, and no stream to share."""
    state = SemanticKind.MUTABLE_EXECUTION_STATE
    reads = {by_id[node_id].kind for _, node_id in node.inputs if node_id in by_id}
    return state if known.kind is SemanticKind.CAUSAL_STREAM and state in reads else known.kind


def _wrong_params(path: str, params: Mapping[str, Json], known: NodeType) -> Iterator[Wrong]:
    for name in params:
        if name not in known.parameters and not (known.inputs and name == COLUMNS):
            yield "E_NODE_PARAMETER", Violation(f"{path}.{name}", "given", f"a parameter of {known.node_type}")
    for name, parameter in known.parameters.items():
        if name in params and not parameter.holds(params[name]):
            yield "E_NODE_PARAMETER", Violation(f"{path}.{name}", f"{params[name]!r:.100}", parameter.wanted)
        elif name not in params and parameter.required:
            yield "E_NODE_PARAMETER", Violation(f"{path}.{name}", "missing", parameter.wanted)
    for lesser, greater, strict in known.orderings:
        low, high = params.get(lesser), params.get(greater)
        if isinstance(low, int | float) and isinstance(high, int | float) and (low > high or (strict and low == high)):
            want = f"{'less than' if strict else 'at most'} {greater}, {high:g}"
            yield "E_NODE_PARAMETER", Violation(f"{path}.{lesser}", f"{low:g}", want)


def _wrong_columns(
    path: str, node: DagNode, known: NodeType, by_id: Mapping[str, DagNode], catalogue: NodeCatalogue
) -> Iterator[Wrong]:
    columns = _columns(node.spec.params.get(COLUMNS))
    wanted = [(port, field) for port in known.inputs for field in port.fields or ("",)]
    if columns is None or len(columns) != len(wanted):
        yield "E_INPUT_SCHEMA", Violation(path, "not so", f"{len(wanted)} pairs of NodeID and field")
        return
    order = tuple(dict.fromkeys(node_id for node_id, _ in columns))
    if order != tuple(dict.fromkeys(node_id for _, node_id in node.inputs)):
        yield "E_INPUT_SCHEMA", Violation(path, "other nodes than input_ids", "those of input_ids, in their order")
        return
    for place, ((node_id, field), (port, fixed)) in enumerate(zip(columns, wanted, strict=True)):
        yield from _wrong_column(f"{path}[{place}]", by_id[node_id], field, (port, fixed), catalogue)


def _wrong_column(
    path: str, source: DagNode, field: str, wanted: tuple[InputPort, str], catalogue: NodeCatalogue
) -> Iterator[Wrong]:
    port, fixed = wanted
    schema = source.spec.schema_compat_id
    if port.schemas and schema not in port.schemas:
        want = f"for {port.name} one of {', '.join(sorted(port.schemas))}"
        yield "E_INPUT_SCHEMA", Violation(path, f"{source.name} of schema {schema!r}", want)
    elif port.kinds and source.kind not in port.kinds:
        want = f"for {port.name} one of {', '.join(sorted(kind.value for kind in port.kinds))}"
        yield "E_INPUT_SCHEMA", Violation(path, f"{source.name} of kind {source.kind.value}", want)
    elif fixed and field != fixed:
        yield "E_INPUT_SCHEMA", Violation(path, f"field {field!r}", f"field {fixed!r} for {port.name}")
    elif schema in catalogue.fields and field not in catalogue.fields[schema]:
        yield "E_INPUT_SCHEMA", Violation(path, f"field {field!r}", f"one of {', '.join(catalogue.fields[schema])}")


def _columns(value: Json) -> list[tuple[str, str]] | None:
    if not isinstance(value, list):
        return None
    pairs = [
        (item[0], item[1])
        for item in value
        if isinstance(item, list) and len(item) == 2 and isinstance(item[0], str) and isinstance(item[1], str)
    ]
    return pairs if len(pairs) == len(value) else None
