"""Which bars feed which source of a graph."""

from __future__ import annotations

from collections.abc import Iterable

from qmtl.core.errors import NotFound
from qmtl.sdk.data.bars import Bars
from qmtl.sdk.engine.series import Series
from qmtl.sdk.graph.dag import Dag


def bind(dag: Dag, data: Bars | Iterable[Bars]) -> dict[str, Bars]:
    """Bars of each source, by NodeID. Raises NotFound (E_DATA_MISSING) naming the symbol and interval."""
    offered = {(bars.symbol, bars.interval_s): bars for bars in ((data,) if isinstance(data, Bars) else data)}
    bound: dict[str, Bars] = {}
    for source in dag.sources:
        bars = offered.get((source.symbol, source.interval_s))
        if bars is None:
            have = ", ".join(f"{symbol} {seconds}s" for symbol, seconds in sorted(offered)) or "none"
            raise NotFound("E_DATA_MISSING", f"no bars of {source.symbol} at {source.interval_s}s; have {have}")
        bound[source.node_id] = bars
    return bound


def source_series(dag: Dag, data: Bars | Iterable[Bars]) -> dict[str, Series]:
    """What each source emits: a row per bar, known at its close."""
    return {node_id: Series(bars.close_ns, bars.values) for node_id, bars in bind(dag, data).items()}
