"""Batch execution: the whole history of every node at once, equal to the streaming engine bit for bit.

Built-ins run the same fold over arrays; custom nodes run the same compute function over slices of the same
aligned rows, or their own array form, which is compared with that function at some of the events. There is one thread
and no reassociation anywhere.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from qmtl.core.errors import InvalidRequest
from qmtl.core.instants import from_ns, timestamp_text
from qmtl.sdk.engine.events import Events, joined
from qmtl.sdk.engine.folds import Folded, run_fold
from qmtl.sdk.engine.series import Outputs, Series
from qmtl.sdk.engine.vertex_runs import call_compute, view_index
from qmtl.sdk.engine.wall_clock import no_wall_clock
from qmtl.sdk.graph.account_state import PositionState
from qmtl.sdk.graph.dag import Dag
from qmtl.sdk.graph.vertices import ArrayForm, FoldNode, Node, State
from qmtl.sdk.graph.view import BatchView, CacheView

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qmtl.core.arrays.types import Floats, Times

ARRAY_SAMPLE = 256
"""Events of a run at which an array form is compared, spread evenly; all of them where there are no more."""
_log = logging.getLogger("qmtl.sdk.engine")


def run_graph(dag: Dag, known: Mapping[str, Series], on_node: Callable[[int], None] = lambda done: None) -> Outputs:
    """Every vertex's series, by NodeID. `known`: the sources', and those computed elsewhere from the same data.
    `on_node`: told before each how many are done.

    What reads the state of an account has values in step with one only: it is left out, unless that state is known.

    Raises InvalidRequest (E_TAG_QUERY_UNRESOLVED) for a vertex that only a mesh can feed.
    """
    made: dict[str, Series] = {}
    for at, vertex in enumerate(dag.nodes):
        on_node(at)
        if vertex.node_id in known:
            made[vertex.node_id] = known[vertex.node_id]
            continue
        if isinstance(vertex, PositionState) or any(item.node_id not in made for item in vertex.inputs):
            continue
        inputs = [made[item.node_id] for item in vertex.inputs]
        if isinstance(vertex, FoldNode):
            made[vertex.node_id] = _fold(vertex, joined(vertex, inputs))
        elif isinstance(vertex, Node):
            events = joined(vertex, inputs)
            name, end = dag.names[vertex.node_id], len(events.times)
            made[vertex.node_id], _ = compute_series(vertex, name, events, (0, end), vertex.state)
        else:
            name = dag.names[vertex.node_id]
            raise InvalidRequest("E_TAG_QUERY_UNRESOLVED", f"{name}: queues of a tag query are found by a mesh only")
    return Outputs(made)


def compute_series(
    vertex: Node, name: str, events: Events, part: tuple[int, int], state: State | None
) -> tuple[Series, State | None]:
    """What a custom node makes of the events in [first, end), which see those before them, and its state after them."""
    if vertex.array_form is not None and vertex.array_form.used:
        made = _array_series(vertex, vertex.array_form, name, events, part)
        if made is not None:
            return made, state
    return _stepped(vertex, name, events, range(*part), state)


def _stepped(
    vertex: Node, name: str, events: Events, part: Iterable[int], state: State | None
) -> tuple[Series, State | None]:
    """What a compute function makes, called event by event."""
    index, period = view_index(vertex), vertex.spec.period
    kept: list[int] = []
    values: list[list[float]] = []
    for at in part:
        views = events.views(vertex, at, period)
        if views is None:
            continue
        value, state = call_compute(vertex, name, CacheView(index, views), state, guarded=True)
        if value is not None:
            kept.append(at)
            values.append(value)
    shaped = np.array(values, dtype=np.float64).reshape(len(values), len(vertex.schema.fields))
    return Series(events.times[kept], shaped), state


def _array_series(vertex: Node, form: ArrayForm, name: str, events: Events, part: tuple[int, int]) -> Series | None:
    """What the array form of a custom node makes of the events in [first, end).

    None where it differs from the compute function at one of those that are compared: it is not used any more, and a
    warning says where it differs. Raises InvalidRequest (E_NODE_VALUE, E_WALL_CLOCK).
    """
    begin, inputs = events.arrays(vertex, part)
    count = part[1] - begin
    if count <= 0:
        return Series(events.times[:0], np.zeros((0, len(vertex.schema.fields))))
    rows = _called(vertex, form, name, BatchView(view_index(vertex), inputs, count))
    here = np.isfinite(rows[:, 0])
    sample = np.unique(np.linspace(0, count - 1, min(count, ARRAY_SAMPLE)).astype(np.int64))
    expected, _ = _stepped(vertex, name, events, (begin + sample).tolist(), None)
    times = events.times[begin : part[1]]
    compared = Series(times[sample][here[sample]], rows[sample][here[sample]])
    if not _same(compared, expected):
        form.used = False
        said = (name, *_first_difference(times[sample], compared, expected))
        _log.warning("node %s: compute_batch differs from compute at %s (%s, want %s); it is not used", *said)
        return None
    return Series(times, rows) if here.all() else Series(times[here], rows[here])


def _called(vertex: Node, form: ArrayForm, name: str, view: BatchView) -> Floats:
    """The rows of an array form, checked: shape (events, fields), each finite or, for no value, NaN in every field."""
    with _note(f"in compute_batch of node {name}"), no_wall_clock(name):
        made = form.compute(view)
    rows = np.asarray(made, dtype=np.float64)
    if rows.ndim == 1:
        rows = rows[:, np.newaxis]
    wanted = (len(view), len(vertex.schema.fields))
    if rows.shape != wanted:
        want = f"want {wanted}: a row for each event"
        raise InvalidRequest("E_NODE_VALUE", f"compute_batch of node {name} returned shape {rows.shape}, {want}")
    missing = np.isnan(rows)
    if np.isinf(rows).any() or bool((missing.any(axis=1) != missing.all(axis=1)).any()):
        want = "want finite numbers, or NaN in every field for no value"
        raise InvalidRequest("E_NODE_VALUE", f"compute_batch of node {name} returned others, {want}")
    return rows


@contextmanager
def _note(text: str) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        error.add_note(text)
        raise


def _same(one: Series, other: Series) -> bool:
    """Bit for bit."""
    return one.time_ns.tobytes() == other.time_ns.tobytes() and one.rows.tobytes() == other.rows.tobytes()


def _first_difference(times: Times, made: Series, want: Series) -> tuple[str, object, object]:
    """The first event at which two series differ, and the rows of both; None: no value."""
    found, wanted = (dict(zip(one.time_ns.tolist(), one.rows, strict=True)) for one in (made, want))
    shown = [(at, _bits(found.get(at)), _bits(wanted.get(at))) for at in times.tolist()]
    at = next(at for at, one, other in shown if one != other)
    one, other = (None if row is None else row.tolist() for row in (found.get(at), wanted.get(at)))
    return timestamp_text(from_ns(at)), one, other


def _bits(row: Floats | None) -> bytes | None:
    return None if row is None else row.tobytes()


def fold_inputs(vertex: FoldNode, events: Events, first: int, end: int) -> Floats:
    """What a fold reads at the events in [first, end), shape (n, inputs)."""
    columns = [events.rows[index][first:end, column] for index, column in vertex.columns]
    if vertex.times is not None:
        columns.append(vertex.times.of(events.times[first:end]))
    if len(columns) == columns[0].ndim == 1:
        return columns[0][:, np.newaxis]
    wide = np.empty((vertex.fold.inputs, end - first)).T  # by columns: array operations read one after another
    at = 0
    for column in columns:
        width = 1 if column.ndim == 1 else column.shape[1]
        wide[:, at : at + width] = column if column.ndim == 2 else column[:, np.newaxis]
        at += width
    return wide


def _fold(vertex: FoldNode, events: Events) -> Series:
    return folded_series(events, run_fold(vertex.fold, fold_inputs(vertex, events, 0, len(events.times))))


def folded_series(events: Events, folded: Folded) -> Series:
    """What a fold made of events, without those at which it has no value."""
    kept = _emitted_rows(folded.emitted)
    if isinstance(kept, slice) and not kept.start:
        return Series(events.times, folded.rows)  # the same times: what is aligned with them need not compare
    return Series(events.times[kept], folded.rows[kept])


def _emitted_rows(emitted: NDArray[np.bool_]) -> NDArray[np.bool_] | slice:
    """Which rows of a fold count: a slice where it warmed up and then always had a value, so that nothing is copied."""
    first = int(emitted.argmax()) if len(emitted) else 0
    return slice(first, None) if emitted[first:].all() and emitted.any() else emitted
