"""DAGs for tests: valid by construction, any size, with hypothesis strategies over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import strategies as st

from qmtl.core.identity import keys
from qmtl.core.identity.keys import NodeSpec
from qmtl.core.identity.nodes import DagNode, QueueClass, SemanticKind
from qmtl.core.modes import ComputeContext, ExecutionDomain

NOW = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)
AS_OF = datetime(2026, 11, 1, tzinfo=UTC)


def node(
    name: str,
    *inputs: DagNode,
    window: float = 10,
    interval_s: int = 900,
    tags: Sequence[str] = (),
    schema_hash: str = "s1",
    kind: SemanticKind = SemanticKind.CAUSAL_STREAM,
    queue_class: QueueClass = QueueClass.INDICATOR,
    period: int = 20,
) -> DagNode:
    """A node whose NodeID is right; its name is functional too, so different names are different nodes."""
    spec = NodeSpec(
        node_type="indicator.ema",
        interval_s=interval_s,
        period=period,
        params={"window": window, "of": name},
        dependencies=tuple(each.node_id for each in inputs),
        schema_compat_id="ohlcv.v1",
        code_hash="builtin:ema@1.0",
    )
    return DagNode(
        node_id=keys.node_id(spec),
        spec=spec,
        queue_class=queue_class,
        kind=kind,
        schema_hash=schema_hash,
        tags=tuple(tags),
        name=name,
        inputs=tuple((each.name, each.node_id) for each in inputs),
    )


def tag_query_node(tags: Sequence[str], match_mode: keys.MatchMode = "any", interval_s: int = 900) -> DagNode:
    """A TagQuery node."""
    spec = keys.tag_query_spec(tags, match_mode, interval_s)
    return DagNode(
        keys.node_id(spec), spec, QueueClass.INDICATOR, SemanticKind.CAUSAL_STREAM, name="query " + ",".join(tags)
    )


def chain(length: int, prefix: str = "n", **words: object) -> list[DagNode]:
    """A source and `length - 1` nodes after it, each on the one before."""
    nodes = [node(f"{prefix}0", **words)]  # type: ignore[arg-type]  # forwards node's own keyword arguments
    for index in range(1, length):
        nodes.append(node(f"{prefix}{index}", nodes[-1], **words))  # type: ignore[arg-type]  # as above
    return nodes


def context(
    world_id: str = "w1", domain: ExecutionDomain = ExecutionDomain.BACKTEST, as_of: datetime | None = AS_OF
) -> ComputeContext:
    """A compute context of a world."""
    return ComputeContext(world_id, domain, as_of)


def renamed(nodes: Sequence[DagNode], suffix: str) -> list[DagNode]:
    """The same nodes to the graph, another DAG to a plan."""
    return [replace(each, name=each.name + suffix) for each in nodes]


@st.composite
def dags(draw: st.DrawFn, max_nodes: int = 12) -> list[DagNode]:
    """Any small DAG, in upload order of its making."""
    nodes: list[DagNode] = []
    for index in range(draw(st.integers(1, max_nodes))):
        inputs = draw(st.lists(st.sampled_from(nodes), max_size=3, unique_by=id)) if nodes else []
        tags = draw(st.lists(st.sampled_from(["btc", "eth", "ema", "fast"]), max_size=3, unique=True))
        nodes.append(node(f"n{index}", *inputs, window=draw(st.integers(1, 3)), tags=tags))
    return nodes


contexts = st.builds(
    ComputeContext,
    world_id=st.text(st.characters(codec="utf-8"), min_size=1, max_size=20),
    execution_domain=st.sampled_from(ExecutionDomain),
    as_of=st.none() | st.datetimes(timezones=st.just(UTC)),
    partition=st.text(st.characters(codec="utf-8"), max_size=10),
)
