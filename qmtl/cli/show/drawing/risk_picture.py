"""Risk reports and tests of forecasts as picture files. Needs matplotlib (extra [demo]), loaded on use."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from qmtl.core.errors import NotReady
from qmtl.risk.v1 import risk_pb2 as riskpb
from qmtl.risk.v1 import risk_service_pb2 as riskservicepb

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, GREY, RED = "#1f5f8b", "#e07b39", "#2a7f4f", "#9aa0a6", "#b3261e"
ZONES = ((0, 5, "#e3f2e6"), (5, 10, "#fdf3d0"), (10, None, "#fbe0de"))
ROWS_MAX = 25  # strategies that a picture names; the smallest beyond are summed
ZONE_DAYS = 250


def draw_report(report: riskpb.RiskReport, exposures: Sequence[riskpb.ExposureRow], path: Path) -> None:
    """Methods side by side, weight beside share of risk, and stress or headroom. Raises NotReady (E_NO_MATPLOTLIB)."""
    shown = _largest(report.strategies)
    figure = _figure((13, max(4.5, 2.2 + 0.3 * len(shown))))
    methods, strategies, losses = figure.subplots(1, 3, width_ratios=(1, 1.4, 1.2))
    _draw_methods(methods, report)
    _draw_strategies(strategies, shown)
    bound = [row for row in exposures if row.limit]
    if bound:
        _draw_headroom(losses, bound)
    else:
        _draw_stress(losses, report.stress)
    as_of = report.as_of.ToDatetime().strftime("%Y-%m-%d %H:%M UTC")
    figure.suptitle(f"Risk of {report.scope}, snapshot {report.snapshot_version} of {as_of}", fontsize=11)
    figure.savefig(path, dpi=120)


def draw_backtest(reply: riskservicepb.BacktestForecastsResponse, path: Path) -> None:
    """Returns with the forecast VaR below them, and the count of exceptions over the zones of 250 days."""
    figure = _figure((11, 6.5))
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    days = [date.fromisoformat(one.day) for one in reply.days]
    realised = [100 * one.realised for one in reply.days]
    above.bar(days, realised, width=0.9, color=GREY, label="return of the book")
    above.step(days, [-100 * one.var_99 for one in reply.days], where="mid", color=BLUE, label="-VaR 99 %")
    above.step(days, [-100 * one.es_975 for one in reply.days], where="mid", color=BLUE, ls=":", label="-ES 97.5 %")
    hits = [(day, value) for day, value, one in zip(days, realised, reply.days, strict=True) if one.exception]
    above.plot([hit[0] for hit in hits], [hit[1] for hit in hits], "o", color=RED, ms=5, label="exception")
    above.axhline(0, color="black", lw=0.6)
    above.set_ylabel("% a day")
    above.margins(y=0.14)
    above.legend(fontsize="small", ncols=4, loc="upper left", frameon=False)
    flags = [one.exception for one in reply.days]
    counts = [sum(flags[max(0, at + 1 - ZONE_DAYS) : at + 1]) for at in range(len(flags))]
    top = max(12, *counts, 0) + 1
    for low, high, colour in ZONES:
        below.axhspan(low - 0.5, top if high is None else high - 0.5, color=colour, lw=0)
    below.step(days, counts, where="mid", color="black", lw=1.2)
    below.set(ylim=(-0.5, top), ylabel="exceptions in the\nlast 250 days")
    tests = reply.tests
    verdict = riskpb.ForecastVerdict.Name(tests.verdict).removeprefix("FORECAST_VERDICT_").lower()
    above.set_title(
        f"{tests.exceptions} exceptions in {tests.days} days, {verdict}: LRuc p {tests.unconditional.p:.3f}, LRcc p "
        f"{tests.conditional.p:.3f}, Z2 {tests.z2:.2f}",
        fontsize=10,
    )
    figure.savefig(path, dpi=120)


def _figure(size: tuple[float, float]) -> Figure:
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise NotReady("E_NO_MATPLOTLIB", "drawing needs matplotlib", hint="pip install 'qmtl[demo]'") from error
    return Figure(figsize=size, layout="constrained")


def _largest(rows: Sequence[riskpb.StrategyRisk]) -> list[riskpb.StrategyRisk]:
    """By share of risk, the largest last; those beyond the most that fit are one row."""
    ordered = sorted(rows, key=lambda one: (one.component_share, one.weight))
    beyond = len(ordered) - ROWS_MAX
    if beyond <= 0:
        return ordered
    few = ordered[:beyond]
    rest = riskpb.StrategyRisk(
        strategy_id=f"{beyond} others",
        weight=sum(one.weight for one in few),
        component_share=sum(one.component_share for one in few),
    )
    return [rest, *ordered[beyond:]]


def _draw_methods(axes: Axes, report: riskpb.RiskReport) -> None:
    names, words = ("var_99", "es_99", "var_975", "es_975"), ("VaR 99", "ES 99", "VaR 97.5", "ES 97.5")
    tails = [
        (word, tail, colour)
        for word, tail, colour, there in (
            ("normal", report.normal, BLUE, report.HasField("normal")),
            ("historical", report.historical, ORANGE, report.HasField("historical")),
        )
        if there
    ]
    for at, (word, tail, colour) in enumerate(tails):
        places = [place + 0.38 * (at - (len(tails) - 1) / 2) for place in range(len(names))]
        bars = axes.bar(places, [100 * getattr(tail, name) for name in names], 0.36, color=colour, label=word)
        axes.bar_label(bars, fmt="%.2f", fontsize=7)
    axes.set_xticks(range(len(names)), words, fontsize=8)
    axes.set(ylabel="% of capital, one day", title="Loss" if tails else "Loss: sample too short")
    if tails:
        axes.legend(fontsize="small", frameon=False, loc="lower center", bbox_to_anchor=(0.5, -0.2), ncols=2)


def _draw_strategies(axes: Axes, shown: Sequence[riskpb.StrategyRisk]) -> None:
    places = range(len(shown))
    axes.barh([at + 0.19 for at in places], [100 * one.weight for one in shown], 0.36, color=GREY, label="weight")
    shares = [100 * one.component_share for one in shown]
    axes.barh([at - 0.19 for at in places], shares, 0.36, color=RED, label="share of VaR")
    axes.set_yticks(places, [one.strategy_id for one in shown], fontsize=8)
    axes.axvline(0, color="black", lw=0.6)
    axes.set(xlabel="%", title="Weight and share of risk")
    axes.legend(fontsize="small", frameon=False, loc="lower right")


def _draw_stress(axes: Axes, stress: Sequence[riskpb.StressLoss]) -> None:
    ordered = sorted(stress, key=lambda one: one.loss)
    colours = [ORANGE if one.loss >= 0 else GREEN for one in ordered]
    bars = axes.barh(range(len(ordered)), [100 * one.loss for one in ordered], 0.6, color=colours)
    axes.bar_label(bars, fmt="%.1f", fontsize=7, padding=2)
    axes.set_yticks(range(len(ordered)), [one.name for one in ordered], fontsize=8)
    axes.margins(x=0.15)
    axes.axvline(0, color="black", lw=0.6)
    axes.set(xlabel="% of capital", title="Stress losses")


def _draw_headroom(axes: Axes, bound: Sequence[riskpb.ExposureRow]) -> None:
    used = [100 * (1 - float(row.headroom) / float(row.limit)) if float(row.limit) else 100.0 for row in bound]
    colours = [RED if value > 100 else ORANGE if value > 90 else GREEN for value in used]
    bars = axes.barh(range(len(bound)), used, 0.6, color=colours)
    axes.bar_label(bars, fmt="%.0f", fontsize=8, label_type="center", color="white")
    axes.set_yticks(range(len(bound)), [row.name for row in bound], fontsize=8)
    axes.axvline(100, color="black", lw=1)
    axes.margins(x=0.15)
    axes.set(xlabel="% of the limit", title="Limits used")
