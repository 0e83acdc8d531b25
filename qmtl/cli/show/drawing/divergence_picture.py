"""A divergence report as a picture file: growth, terms of the gap, slippage, drift. Needs matplotlib (extra [demo])."""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import NotReady
from qmtl.world.v1 import divergence_pb2 as divergencepb

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LIVE, REPLAY, BETTER, WORSE = "#1f5f8b", "#e07b39", "#2a7f4f", "#b3261e"
TITLES = {"PASS": BETTER, "WARN": "#a86500", "FAIL": WORSE, "UNKNOWN": "#555555"}
TERMS = ("unmatched", "fill", "arrival", "execution", "fees", "funding", "mark", "opening")
PSI_WATCHED, PSI_SHIFTED = 0.1, 0.25
BINS = 20
MARKED_MAX, TICKS_MAX = 40, 8
NODES_MAX = 12  # that a picture names, those that moved most


def draw_divergence(report: divergencepb.DivergenceReport, path: Path) -> None:
    """Write the picture, its kind by the file's ending. Raises NotReady (E_NO_MATPLOTLIB)."""
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise NotReady("E_NO_MATPLOTLIB", "drawing needs matplotlib", hint="pip install 'qmtl[demo]'") from error
    figure = Figure(figsize=(13, 8), layout="constrained")
    (growth, terms), (slippage, drift) = figure.subplots(2, 2, width_ratios=(1.3, 1))
    _draw_growth(growth, report)
    _draw_terms(terms, report)
    _draw_slippage(slippage, report)
    _draw_drift(drift, report)
    verdict = divergencepb.DivergenceVerdict.Name(report.verdict).removeprefix("DIVERGENCE_VERDICT_")
    span = f"{report.start.ToDatetime():%Y-%m-%d %H:%M} to {report.end.ToDatetime():%Y-%m-%d %H:%M} UTC"
    why = report.reasons[0] if report.reasons else f"{side_of(report)} is as its replay"
    figure.suptitle(
        f"{verdict}: {why}\n{report.strategy_id} in {report.world_id}, {span}",
        fontsize=12, color=TITLES.get(verdict, "black"), wrap=True,
    )  # fmt: skip
    figure.savefig(path, dpi=120)


def side_of(report: divergencepb.DivergenceReport) -> str:
    """Paper or live."""
    return "live" if report.execution_domain == commonpb.EXECUTION_DOMAIN_LIVE else "paper"


def _draw_growth(axes: Axes, report: divergencepb.DivergenceReport) -> None:
    axes.set(title="equity since the session's start", ylabel="%")
    if not report.days:
        _say(axes, "no day with a return of both sides")
        return
    live = [0.0, *(100 * (one.live_growth - 1) for one in report.days)]
    replay = [0.0, *(100 * (one.replay_growth - 1) for one in report.days)]
    places = list(range(len(live)))
    marker = "o" if len(places) < MARKED_MAX else ""
    axes.plot(places, replay, color=REPLAY, label="replay", marker=marker, ms=3)
    axes.plot(places, live, color=LIVE, label=side_of(report), marker=marker, ms=3)
    above = [mine >= other for mine, other in zip(live, replay, strict=True)]
    for colour, where, word in ((BETTER, above, "better"), (WORSE, [not one for one in above], "worse")):
        axes.fill_between(
            places,
            live,
            replay,
            where=where,
            interpolate=True,
            color=colour,
            alpha=0.25,
            lw=0,
            label=f"{side_of(report)} {word}",
        )
    names = ["start", *(one.day for one in report.days)]
    step = -(-len(places) // TICKS_MAX)
    axes.set_xticks(places[::step], names[::step], rotation=30, ha="right")
    axes.legend(frameon=False, fontsize="small")


def _draw_terms(axes: Axes, report: divergencepb.DivergenceReport) -> None:
    axes.set_title(f"from the replay's profit to that of {side_of(report)}")
    if not report.HasField("terms"):
        _say(axes, "no terms: a last price is missing")
        return
    told = report.terms
    steps = [float(getattr(told, name) or 0) for name in TERMS]
    ends = list(accumulate(steps, initial=float(told.replay_pnl)))
    axes.bar(0, ends[0], color=REPLAY, width=0.7)
    for place, (begin, step) in enumerate(zip(ends, steps, strict=False), start=1):
        axes.bar(place, step, bottom=begin, color=BETTER if step >= 0 else WORSE, width=0.7)
        axes.plot((place - 1.35, place + 0.35), (begin, begin), color="#777777", lw=0.7)
        axes.annotate(
            f"{step:+,.0f}" if abs(step) >= 1000 else f"{step:+.4g}",
            (place, max(begin, begin + step)),
            ha="center",
            va="bottom",
            fontsize=7,
        )
    axes.bar(len(steps) + 1, float(told.live_pnl), color=LIVE, width=0.7)
    names = ("replay", *TERMS, side_of(report))
    axes.set_xticks(range(len(names)), names, rotation=35, ha="right")
    axes.axhline(0, color="black", lw=0.6)
    axes.set_ylabel("account currency")
    axes.use_sticky_edges = False  # a step begins where the last one ended, at the top too
    axes.margins(y=0.12)


def _draw_slippage(axes: Axes, report: divergencepb.DivergenceReport) -> None:
    live, replay = list(report.live_slippage_bps), list(report.replay_slippage_bps)
    figures = report.figures
    axes.set(title="slippage of pairs from their arrival marks", xlabel="basis points; positive is a cost")
    if not live and not replay:
        _say(axes, "no pair with a fill and an arrival mark")
        return
    low, high = min((*live, *replay)), max((*live, *replay))
    span = (low - 1.0, high + 1.0)
    axes.hist(replay, bins=BINS, range=span, color=REPLAY, alpha=0.6, label=f"model, {figures.replay_slippage_bps:.2f}")
    axes.hist(
        live, bins=BINS, range=span, color=LIVE, alpha=0.6, label=f"{side_of(report)}, {figures.live_slippage_bps:.2f}"
    )
    axes.axvline(figures.replay_slippage_bps, color=REPLAY, ls="--")
    axes.axvline(figures.live_slippage_bps, color=LIVE, ls="--")
    axes.set_ylabel("pairs")
    axes.margins(y=0.35)
    axes.legend(
        framealpha=0.9, edgecolor="none", fontsize="small", title="mean by notional", ncols=2, loc="upper center"
    )


def _draw_drift(axes: Axes, report: divergencepb.DivergenceReport) -> None:
    shown = sorted(report.drift, key=lambda one: one.psi)[-NODES_MAX:]
    axes.set(title="drift of features (PSI)", xlabel=f"{PSI_WATCHED} worth a look, {PSI_SHIFTED} a shift")
    if not shown:
        _say(axes, "no published feature was compared")
        return
    colours = [WORSE if one.psi > PSI_SHIFTED else "#f0c36d" if one.psi > PSI_WATCHED else BETTER for one in shown]
    axes.barh(range(len(shown)), [one.psi for one in shown], color=colours)
    axes.set_yticks(range(len(shown)), [one.node for one in shown])
    for limit in (PSI_WATCHED, PSI_SHIFTED):
        axes.axvline(limit, color="#777777", ls=":", lw=1)


def _say(axes: Axes, words: str) -> None:
    axes.text(0.5, 0.5, words, ha="center", va="center", transform=axes.transAxes, color="#777777")
    axes.set_xticks([])
    axes.set_yticks([])
