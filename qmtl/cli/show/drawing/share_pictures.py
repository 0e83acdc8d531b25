"""Shares over their revisions and a plan's exposure, as picture files. Needs matplotlib (extra [demo])."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qmtl.core.errors import NotReady
from qmtl.world.v1 import allocation_pb2 as allocationpb
from qmtl.world.v1 import rebalance_pb2 as rebalancepb

BEFORE, AFTER = "#9fb8d8", "#2a7f4f"


def draw_history(sets: Sequence[allocationpb.AllocationSet], title: str, path: Path) -> None:
    """Stacked shares of worlds by revision, oldest first; the rest is cash. Raises NotReady (E_NO_MATPLOTLIB)."""
    figure = _figure(9, 4.5)
    axes = figure.add_subplot()
    worlds = sorted({row.world_id for each in sets for row in each.worlds})
    places = range(len(sets))
    shares = [{row.world_id: float(row.share) for row in each.worlds} for each in sets]
    low = [0.0] * len(sets)
    for world in worlds:
        heights = [each.get(world, 0.0) for each in shares]
        axes.bar(places, heights, bottom=low, width=0.8, label=world)
        low = [a + b for a, b in zip(low, heights, strict=True)]
    axes.bar(places, [1 - each for each in low], bottom=low, width=0.8, label="cash", color="#f2f2f2")
    axes.set(title=title, xlabel="revision", ylabel="share of equity", ylim=(0, 1))
    axes.set_xticks(places, [str(each.revision) for each in sets])
    figure.legend(loc="outside right upper", frameon=False, fontsize="small")
    figure.savefig(path, dpi=120)


def draw_plan(plan: rebalancepb.RebalancePlan, path: Path) -> None:
    """Net exposure of the plan's legs by symbol before and after. Raises NotReady (E_NO_MATPLOTLIB)."""
    figure = _figure(9, 1.8 + 0.4 * max(len({leg.symbol for leg in plan.legs}), 1))
    axes = figure.add_subplot()
    before: dict[str, float] = {}
    after: dict[str, float] = {}
    for leg in plan.legs:
        traded = float(leg.rounded)
        unit = float(leg.notional) / traded if traded else float(leg.mark_price)  # with the multiplier where it is told
        value = float(leg.quantity) * unit
        before[leg.symbol] = before.get(leg.symbol, 0.0) + value
        after[leg.symbol] = after.get(leg.symbol, 0.0) + value + float(leg.notional)
    symbols = sorted(before)
    axes.barh([n - 0.2 for n in range(len(symbols))], [before[s] for s in symbols], 0.38, color=BEFORE, label="before")
    axes.barh([n + 0.2 for n in range(len(symbols))], [after[s] for s in symbols], 0.38, color=AFTER, label="after")
    axes.set_yticks(range(len(symbols)), symbols)
    axes.invert_yaxis()
    axes.axvline(0, color="#444444", linewidth=0.8)
    axes.set(title=f"plan of account {plan.account}: net exposure of its legs", xlabel="quote currency")
    axes.ticklabel_format(axis="x", style="plain")
    figure.legend(loc="outside right upper", frameon=False)
    figure.savefig(path, dpi=120)


def _figure(width: float, height: float) -> Any:
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise NotReady("E_NO_MATPLOTLIB", "drawing needs matplotlib", hint="pip install 'qmtl[demo]'") from error
    return Figure(figsize=(width, height), layout="constrained")
