"""The graph of a strategy: every reachable vertex once, named, in topological order."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from qmtl.core.errors import refused
from qmtl.core.identity.dag import NODES_MAX
from qmtl.core.identity.keys import node_ids_crc32
from qmtl.sdk.graph.account_state import PositionState
from qmtl.sdk.graph.legality import check_delayed, check_kinds
from qmtl.sdk.graph.vertices import StreamInput, TagQuery, Vertex


@dataclass(frozen=True, slots=True, eq=False)
class Dag:
    """Vertices in topological order (ties by NodeID), each NodeID once; names and positions by NodeID."""

    nodes: tuple[Vertex, ...]
    names: Mapping[str, str]
    at: Mapping[str, int]

    @property
    def sources(self) -> tuple[StreamInput, ...]:
        return tuple(vertex for vertex in self.nodes if isinstance(vertex, StreamInput))

    @property
    def queries(self) -> tuple[TagQuery, ...]:
        return tuple(vertex for vertex in self.nodes if isinstance(vertex, TagQuery))

    @property
    def crc32(self) -> int:
        """Checksum of the NodeIDs, as a submission carries it."""
        return node_ids_crc32([vertex.node_id for vertex in self.nodes])

    @property
    def on_state(self) -> frozenset[str]:
        """NodeIDs of what reads the state of an account, itself or through others: it runs in step with one."""
        found: set[str] = set()
        for vertex in self.nodes:
            if isinstance(vertex, PositionState) or any(item.node_id in found for item in vertex.inputs):
                found.add(vertex.node_id)
        return frozenset(found)

    def position(self, vertex: Vertex) -> int:
        """Index in `nodes` of the vertex with the same NodeID."""
        return self.at[vertex.node_id]

    def inputs_of(self, vertex: Vertex) -> tuple[int, ...]:
        """Positions of a vertex's inputs, in call order."""
        return tuple(self.at[item.node_id] for item in vertex.inputs)

    @property
    def warmup_bars(self) -> int:
        """Bars of its own that any source must deliver, at most, before every node has a value."""
        return max((self.warmup_of(source) for source in self.sources), default=1)

    def warmup_of(self, source: Vertex) -> int:
        """Bars of its own that one source must deliver before every node behind it has a value; 1 where none is."""
        need: dict[str, int] = {source.node_id: 1}
        for vertex in self.nodes:
            for item in vertex.inputs:
                if item.node_id in need:
                    values = (vertex.warmup_at(item) - 1) * item.interval_s
                    bars = need[item.node_id] + -(-values // source.interval_s)
                    need[vertex.node_id] = max(need.get(vertex.node_id, 1), bars)
        return max(need.values())


def build_dag(roots: Iterable[Vertex]) -> Dag:
    """The graph of the roots and everything they read.

    Raises InvalidRequest: E_DAG_EMPTY, E_TOO_MANY_NODES, E_DELAYED_STREAM_LEAK, E_KIND_CONNECTION,
    E_NAME_DUPLICATE.
    """
    nodes = _ordered(_reachable(roots))
    if not nodes:
        raise refused("E_DAG_EMPTY", "nodes", "empty", "at least one node")
    names = _names(nodes)
    check_delayed(nodes, names)
    check_kinds(nodes, names)
    return Dag(nodes, MappingProxyType(names), MappingProxyType({v.node_id: i for i, v in enumerate(nodes)}))


def _reachable(roots: Iterable[Vertex]) -> dict[str, Vertex]:
    found: dict[str, Vertex] = {}
    stack = list(roots)[::-1]
    while stack:
        vertex = stack.pop()
        known = found.get(vertex.node_id)
        if known is None or (vertex.named and not known.named):
            found[vertex.node_id] = vertex
        if known is None:
            stack.extend(reversed(vertex.inputs))
        if len(found) > NODES_MAX:
            raise refused("E_TOO_MANY_NODES", "nodes", f"more than {NODES_MAX}", f"at most {NODES_MAX}")
    return found


def _ordered(found: Mapping[str, Vertex]) -> tuple[Vertex, ...]:
    waiting = {key: len({item.node_id for item in vertex.inputs}) for key, vertex in found.items()}
    readers: dict[str, list[str]] = {key: [] for key in found}
    for key, vertex in found.items():
        for item in {item.node_id for item in vertex.inputs}:
            readers[item].append(key)
    ready = [key for key, count in waiting.items() if count == 0]
    heapq.heapify(ready)
    order: list[Vertex] = []
    while ready:
        key = heapq.heappop(ready)
        order.append(found[key])
        for reader in readers[key]:
            waiting[reader] -= 1
            if waiting[reader] == 0:
                heapq.heappush(ready, reader)
    return tuple(order)


def _names(nodes: Sequence[Vertex]) -> dict[str, str]:
    chosen: dict[str, str] = {}
    taken: dict[str, str] = {}
    for vertex in nodes:
        if vertex.named:
            if vertex.name in taken:
                hint = "two different nodes need two names"
                raise refused("E_NAME_DUPLICATE", "name", repr(vertex.name), "a name used once", hint=hint)
            taken[vertex.name] = chosen[vertex.node_id] = _checked_name(vertex.name)
    following: dict[str, int] = {}
    for vertex in nodes:
        if not vertex.named:
            name, count = vertex.name, following.get(vertex.name, 2)
            while name in taken:
                name, count = f"{vertex.name}_{count}", count + 1
            following[vertex.name] = count
            taken[name] = chosen[vertex.node_id] = name
    return chosen


def _checked_name(name: str) -> str:
    if not 1 <= len(name) <= 100 or not name.isprintable():
        raise refused("E_NAME", "name", repr(name[:40]), "1 to 100 printable characters")
    return name
