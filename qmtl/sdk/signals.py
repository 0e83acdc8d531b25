"""Signals and decisions: from streams to a direction, from a direction to a position target.

A direction is +1 (long), 0 (nothing to say) or -1 (short); a target is what the strategy wants to hold.
Both are decisions: they may feed decisions and orders, never a shared stream.
"""

from __future__ import annotations

import math

from qmtl.core.identity.canonical import Json
from qmtl.core.identity.nodes import SemanticKind
from qmtl.sdk import kernels as k
from qmtl.sdk.graph.fold import Fold
from qmtl.sdk.graph.names import refused
from qmtl.sdk.graph.schemas import DIRECTION, TARGET
from qmtl.sdk.graph.vertices import FoldNode, Vertex


def cross(fast: Vertex, slow: Vertex, *, name: str = "") -> FoldNode:
    """Crossing event: +1 where fast rises above slow, -1 where it falls below, 0 between. A touch is not a cross.

    Shape: one direction per event. Warm-up: 2.
    """
    fold = Fold("cross", k.cross_step, (), 2, 2, 1, 2)
    return _direction("cross", fold, [(fast, fast.schema.default), (slow, slow.schema.default)], {}, name)


def trend(fast: Vertex, slow: Vertex, *, name: str = "") -> FoldNode:
    """State rather than event: +1 while fast > slow, -1 while fast < slow, 0 when equal. Warm-up: 1."""
    fold = Fold("trend", k.trend_step, (), 0, 2, 1, 1)
    return _direction("trend", fold, [(fast, fast.schema.default), (slow, slow.schema.default)], {}, name)


def threshold(source: Vertex, *, above: float, below: float, field: str = "", name: str = "") -> FoldNode:
    """+1 where the value is above `above`, -1 where it is below `below`, else 0. Unit: the input's. Warm-up: 1."""
    if not (math.isfinite(above) and math.isfinite(below) and below <= above):
        raise refused("E_THRESHOLD", "below, above", f"{below}, {above}", "finite and below <= above")
    fold = Fold("threshold", k.threshold_step, (float(above), float(below)), 0, 1, 1, 1)
    params: dict[str, Json] = {"above": float(above), "below": float(below)}
    return _direction("threshold", fold, [(source, field or source.schema.default)], params, name)


def position_target(
    direction: Vertex, *, long: float, short: float = 0.0, flat: float = 0.0, hold: bool = True, name: str = ""
) -> FoldNode:
    """What to hold: `long` after +1, `short` after -1 (0: close; negative: sell short), `flat` before the first signal.

    hold True keeps the last target while the direction is 0; False goes to `flat` then. Unit: whatever the
    order node's sizing says (units of the asset, or a fraction of equity). Shape: one target. Warm-up: 1.
    """
    for label, value in (("long", long), ("short", short), ("flat", flat)):
        if not math.isfinite(value):
            raise refused("E_TARGET", label, value, "a finite number")
    fold = Fold("position_target", k.target_step, (float(long), float(flat), float(short), float(hold)), 2, 1, 1, 1)
    params: dict[str, Json] = {"long": float(long), "short": float(short), "flat": float(flat), "hold": hold}
    columns = [(direction, direction.schema.default)]
    return FoldNode(
        "decision.position_target",
        fold,
        columns,
        params,
        schema=TARGET,
        kind=SemanticKind.DECISION_VALUE,
        name=name,
        label="target",
    )


def _direction(
    kind: str, fold: Fold, columns: list[tuple[Vertex, str]], params: dict[str, Json], name: str
) -> FoldNode:
    return FoldNode(
        f"decision.{kind}",
        fold,
        columns,
        params,
        schema=DIRECTION,
        kind=SemanticKind.DECISION_VALUE,
        name=name,
        label=kind,
    )
