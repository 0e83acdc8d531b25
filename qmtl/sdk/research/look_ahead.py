"""A look-ahead detector: values of the past must not depend on the future.

The graph runs over the whole data, then over data cut at some bars, and over data whose future after them is
another: every value known by the cut must come out the same, to the last bit. A node that reads beyond its views (a
global table, a file, a statistic over the whole data) is named; so is one that does not repeat
itself. Clean is no proof.

A strategy that is fitted to data before it runs is given as the function that fits it: it is fitted anew to each
changed future, so that a mean over the whole sample shows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np

from qmtl.core.arrays.merging import merged_times
from qmtl.core.errors import refused
from qmtl.sdk.data.bars import Bars
from qmtl.sdk.data.binding import bind
from qmtl.sdk.data.outputs import flat_outputs
from qmtl.sdk.engine.series import Outputs, Series
from qmtl.sdk.graph.dag import Dag

if TYPE_CHECKING:
    pass

CUTS = 5
CUTS_MAX = 100
_SCALE_LOW, _SCALE_HIGH = 0.5, 1.5


class Probe(Enum):
    """How the future was changed."""

    REPEATED = "repeated"
    TRUNCATED = "truncated"
    PERTURBED = "perturbed"


@dataclass(frozen=True, slots=True)
class Leak:
    """A node whose past changed. `time_ns` is the first value that did, with the future after `cut_ns` changed.

    `inherited`: one of its inputs leaks at the same probe, so the fault is likely there.
    """

    node: str
    node_id: str
    probe: Probe
    cut_ns: int
    time_ns: int
    inherited: bool


Build = Callable[[tuple[Bars, ...]], Dag]


def find_look_ahead(
    graph: Dag | Build, data: Bars | Iterable[Bars], *, cuts: int = CUTS, seed: int = 0
) -> tuple[Leak, ...]:
    """Nodes whose past output depends on the future: the first leak of each, in the graph's order.

    `graph`: a graph, or what makes one of bars (`lambda bars: assemble(Mine(bars)).dag`); nodes are then known by name.
    `cuts` instants are spread over the second half of the data. Raises InvalidRequest (E_CUTS, E_LOOK_AHEAD_DATA for
    data too short to cut), and what flat_outputs raises.
    """
    if not 1 <= cuts <= CUTS_MAX:
        raise refused("E_CUTS", "cuts", cuts, f"1 to {CUTS_MAX}")
    given = (data,) if isinstance(data, Bars) else tuple(data)
    dag = graph if isinstance(graph, Dag) else graph(given)
    bars = tuple({id(each): each for each in bind(dag, given).values()}.values())
    whole = flat_outputs(dag, bars)
    found: dict[str, Leak] = {}
    for cut_ns in _cut_times(bars, cuts):
        for probe, changed in _futures(bars, cut_ns, np.random.default_rng(seed)):
            again = graph if isinstance(graph, Dag) else graph(tuple(changed))
            for leak in _leaks(dag, whole, _by_name(dag, again, flat_outputs(again, changed)), probe, cut_ns):
                found.setdefault(leak.node_id, leak)
    return tuple(found[vertex.node_id] for vertex in dag.nodes if vertex.node_id in found)


def _cut_times(data: Sequence[Bars], cuts: int) -> list[int]:
    times = merged_times(bars.close_ns for bars in data)
    if len(times) < 4:
        raise refused("E_LOOK_AHEAD_DATA", "data", f"{len(times)} bars", "at least 4")
    places = np.linspace(len(times) // 2, len(times) - 2, min(cuts, len(times) // 2 - 1))
    return [int(times[place]) for place in np.unique(places.astype(np.int64))]


def _futures(data: Sequence[Bars], cut_ns: int, rng: np.random.Generator) -> Iterator[tuple[Probe, list[Bars]]]:
    """The same data again, without what becomes known after the cut, and with another future."""
    yield Probe.REPEATED, list(data)
    yield Probe.TRUNCATED, [bars.between(None, cut_ns - bars.interval_s * 1_000_000_000 + 1) for bars in data]
    yield Probe.PERTURBED, [_perturbed(bars, cut_ns, rng) for bars in data]


def _perturbed(bars: Bars, cut_ns: int, rng: np.random.Generator) -> Bars:
    """Each later bar scaled whole by its own factor, so that it stays a possible bar."""
    values, later = bars.values.copy(), bars.close_ns > cut_ns
    values[later] *= rng.uniform(_SCALE_LOW, _SCALE_HIGH, (int(later.sum()), 1))
    return replace(bars, open_ns=bars.open_ns.copy(), values=values)


def _by_name(dag: Dag, again: Dag, outputs: Outputs) -> Outputs:
    """What the nodes of another build made, under the ids of those of the same name; one that is gone made nothing."""
    if again is dag:
        return outputs
    made = {again.names[vertex.node_id]: outputs[vertex] for vertex in again.nodes}
    nothing = {vertex.node_id: np.zeros((0, len(vertex.schema.fields))) for vertex in dag.nodes}
    empty = np.zeros(0, dtype=np.int64)
    return Outputs({key: made.get(dag.names[key], Series(empty, rows)) for key, rows in nothing.items()})


def _leaks(dag: Dag, whole: Outputs, changed: Outputs, probe: Probe, cut_ns: int) -> Iterator[Leak]:
    leaking: set[str] = set()
    for vertex in dag.nodes:
        time_ns = _first_difference(whole[vertex], changed[vertex], cut_ns)
        if time_ns is not None:
            inherited = any(item.node_id in leaking for item in vertex.inputs)
            leaking.add(vertex.node_id)
            yield Leak(dag.names[vertex.node_id], vertex.node_id, probe, cut_ns, time_ns, inherited)


def _first_difference(one: Series, other: Series, cut_ns: int) -> int | None:
    """When the first value known by the cut is missing, new or another."""
    known, again = int((one.time_ns <= cut_ns).sum()), int((other.time_ns <= cut_ns).sum())
    shared = min(known, again)
    same_time = one.time_ns[:shared] == other.time_ns[:shared]
    same_bits = (one.rows[:shared].view(np.int64) == other.rows[:shared].view(np.int64)).all(axis=1)
    apart = np.flatnonzero(~(same_time & same_bits))
    if len(apart):
        return int(min(one.time_ns[apart[0]], other.time_ns[apart[0]]))
    if known == again:
        return None
    return int((one if known > again else other).time_ns[shared])
