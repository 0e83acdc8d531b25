"""Training data: features of a bar beside the label that speaks of it, and when that label became known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from qmtl.core.errors import refused
from qmtl.core.identity.nodes import SemanticKind
from qmtl.sdk.data.bars import Bars
from qmtl.sdk.data.outputs import batch_outputs
from qmtl.sdk.engine.events import joined
from qmtl.sdk.graph.dag import build_dag
from qmtl.sdk.graph.vertices import FoldNode, Vertex

if TYPE_CHECKING:
    from qmtl.core.arrays.types import Floats, Times


@dataclass(frozen=True, slots=True, eq=False)
class TrainingSet:
    """`time_ns` (n,) when features were known, `features` (n, k), `labels` (n,), `known_ns` (n,) when labels were.

    A label spans from its time to `known_ns`: who tests at a time trains on `before` it, or knows the future.
    """

    time_ns: Times
    features: Floats
    labels: Floats
    known_ns: Times

    def __len__(self) -> int:
        return len(self.time_ns)

    def before(self, time_ns: int) -> TrainingSet:
        """What was known by then, label and all: a purged training set."""
        return self._chosen(self.known_ns <= time_ns)

    def after(self, time_ns: int) -> TrainingSet:
        """What begins later than that."""
        return self._chosen(self.time_ns > time_ns)

    def _chosen(self, kept: np.ndarray) -> TrainingSet:
        return TrainingSet(self.time_ns[kept], self.features[kept], self.labels[kept], self.known_ns[kept])


def align(label: FoldNode, features: Sequence[Vertex], bars: Bars) -> TrainingSet:
    """The main field of each feature at a bar, with the label of that bar; bars that lack one of them are left out.

    Raises InvalidRequest: E_FIELD where `label` is no label or a feature is one, E_BARS and others as batch_outputs.
    """
    if label.kind is not SemanticKind.DELAYED_STREAM or "max_bars" not in label.spec.params:
        raise refused("E_FIELD", "label", label.name, "one of qmtl.sdk.labels")
    for feature in features:
        if feature.kind is SemanticKind.DELAYED_STREAM:
            raise refused("E_FIELD", "features", f"{feature.name}, a label", "what is known at the bar")
    outputs = batch_outputs(build_dag([*features, label]), bars)
    found = outputs[label]
    events = joined(label, [outputs[each] for each in label.inputs]).times  # a label waits so many of its own events
    begun = events[np.searchsorted(events, found.time_ns) - int(str(label.spec.params["max_bars"]))]
    columns = [_by_bar(bars, outputs[each].time_ns, outputs[each].rows[:, _main(each)]) for each in features]
    entries = np.searchsorted(bars.close_ns, begun)
    inputs = np.column_stack([column[entries] for column in columns]) if columns else np.empty((len(entries), 0))
    whole = ~np.isnan(inputs).any(axis=1)
    labels = found.rows[:, _main(label)]
    return TrainingSet(bars.close_ns[entries][whole], inputs[whole], labels[whole], found.time_ns[whole])


def _main(vertex: Vertex) -> int:
    return vertex.schema.column(vertex.schema.default)


def _by_bar(bars: Bars, time_ns: Times, values: Floats) -> Floats:
    column = np.full(len(bars), np.nan)
    column[np.searchsorted(bars.close_ns, time_ns)] = values
    return column
