"""Built-in nodes that compute: a declared node type with the step that runs it.

The one way from a declaration to a node: parameters are checked, the fold is sized and the NodeSpec is written here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from qmtl.core.errors import refused
from qmtl.core.identity.canonical import Json
from qmtl.sdk.graph.fold import Fold, Step, TimeColumns, Whole
from qmtl.sdk.graph.node_types import BarCount, NodeType
from qmtl.sdk.graph.vertices import FoldNode, Vertex


@dataclass(frozen=True, slots=True)
class Builtin:
    """A node type with its step, which reads the numeric parameters in the order they are declared. `whole`: the same
    step over many inputs at once.
    """

    type: NodeType
    step: Step
    state_size: BarCount = field(default_factory=BarCount)
    whole: Whole | None = None

    def node(
        self,
        params: Mapping[str, Json],
        *sources: tuple[Vertex, str],
        name: str = "",
        label: str,
        times: TimeColumns | None = None,
        interval_s: int | None = None,
    ) -> FoldNode:
        """A node over one source per input port: (vertex, field), the field empty for what the port reads by default.

        `times`: columns that the step reads after its inputs. `interval_s`: where it is not that of the inputs.

        Raises InvalidRequest: E_NODE_PARAMETER, E_INPUT_SCHEMA, E_FIELD_UNKNOWN.
        """
        self.type.check(params)
        columns = self._columns(sources)
        fold = Fold(
            self.type.code_hash,
            self.step,
            self._step_params(params),
            self.state_size.of(params),
            len(columns) + (times.width if times else 0),
            len(self.type.output.fields),
            self.type.warm_up.of(params),
            self.whole,
        )
        return FoldNode(self.type, fold, columns, params, name=name, label=label, times=times, interval_s=interval_s)

    def _step_params(self, params: Mapping[str, Json]) -> tuple[float, ...]:
        values = [params[parameter.name] for parameter in self.type.parameters]
        return tuple(float(value) for value in values if isinstance(value, int | float))

    def _columns(self, sources: Sequence[tuple[Vertex, str]]) -> list[tuple[Vertex, str]]:
        columns: list[tuple[Vertex, str]] = []
        for port, (vertex, chosen) in zip(self.type.inputs, sources, strict=True):
            if port.schemas and vertex.schema not in port.schemas:
                want = " or ".join(schema.compat_id for schema in port.schemas)
                raise refused("E_INPUT_SCHEMA", port.name, f"{vertex.name} ({vertex.schema.compat_id})", want)
            columns.extend((vertex, name) for name in port.fields or (chosen or vertex.schema.default,))
        return columns
