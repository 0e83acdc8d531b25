"""How an indicator is declared: its step, its parameters, what it reads and makes."""

from __future__ import annotations

from collections.abc import Sequence

from qmtl.core.identity.nodes import SemanticKind
from qmtl.sdk.graph.builtins import Builtin
from qmtl.sdk.graph.fold import Step, Whole
from qmtl.sdk.graph.node_types import BarCount, InputPort, NodeType, Ordering, Parameter, ParameterType
from qmtl.sdk.graph.schemas import OHLCV, VALUE, Schema

SOURCE = (InputPort("source"),)
BANDS = Schema("qmtl.bands.v1", ("upper", "middle", "lower"), "middle")


def bars_of(*fields: str) -> tuple[InputPort, ...]:
    """These columns of bars."""
    return (InputPort("bars", fields, (OHLCV,)),)


def factor(name: str, unit: str, default: float) -> Parameter:
    """A number above 0."""
    return Parameter(name, ParameterType.NUMBER, unit, default, above=0.0, maximum=1e9)


def indicator(
    name: str,
    summary: str,
    step: Step,
    parameters: Sequence[Parameter],
    inputs: tuple[InputPort, ...],
    warm_up: BarCount,
    state: BarCount,
    output: Schema = VALUE,
    orderings: tuple[Ordering, ...] = (),
    whole: Whole | None = None,
    *,
    period: BarCount | None = None,
    version: str = "1.0",
) -> Builtin:
    """A causal stream. `period`: its window, by default its warm-up. `whole`: the step over many inputs at once.
    `version` rises with each change of a value that the step makes.
    """
    declared = NodeType(
        node_type=f"indicator.{name}",
        code_hash=f"builtin:{name}@{version}",
        summary=summary,
        output=output,
        kind=SemanticKind.CAUSAL_STREAM,
        parameters=tuple(parameters),
        inputs=inputs,
        period=warm_up if period is None else period,
        warm_up=warm_up,
        orderings=orderings,
    )
    return Builtin(declared, step, state_size=state, whole=whole)
