"""A conformance report as one self-contained HTML page: counts, samples, gaps, and coverage day by day. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from qmtl.cli.show.drawing.calendar_map import Cell, MonthRow
from qmtl.cli.show.messages import enum_word, when
from qmtl.data.v1 import conformance_pb2 as conformancepb
from qmtl.data.v1 import coverage_pb2 as coveragepb

GAPS_MAX = 1000
COLOURS = {
    Cell.FULL: ("full", "#2a7f4f", "whole"),
    Cell.MOST: ("most", "#8cc9a1", "half or more"),
    Cell.SOME: ("some", "#f0c36d", "less"),
    Cell.MISSING: ("missing", "#c0392b", "missing"),
    Cell.EMPTY: ("empty", "#9fb8d8", "empty by its source"),
    Cell.NOTHING: ("nothing", "#eeeeee", "nothing expected"),
}
_STYLE = (
    """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 68rem; padding: 0 1rem; color: #1c2430; }
h1 { font-size: 1.3rem; overflow-wrap: anywhere; } h2 { font-size: 1.05rem; margin-top: 2rem; }
dl { display: flex; flex-wrap: wrap; gap: .8rem; margin: 1rem 0; }
dl div { min-width: 7.5rem; border: 1px solid #d9dee5; border-radius: 6px; padding: .5rem .8rem; }
dt { color: #5b6675; font-size: .8rem; } dd { margin: 0; font-size: 1.15rem; font-variant-numeric: tabular-nums; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .3rem .6rem; vertical-align: top; }
th { border-bottom: 2px solid #d9dee5; font-size: .8rem; color: #5b6675; } td { border-bottom: 1px solid #edf0f3; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; } tr.quiet td { color: #8a94a2; }
tr.refused td { background: #fdecea; } ul { margin: 0; padding-left: 1.1rem; }
.scroll { overflow-x: auto; } .map { width: auto; } .map th { border: 0; font-weight: normal; padding: 0 .5rem 0 0; }
.map td { border: 1px solid #fff; padding: 0; width: 1.15rem; min-width: 1.15rem; height: 1.15rem; }
.map tr.days th { padding: 0; font-size: .65rem; text-align: center; }
.legend span { display: inline-block; margin-right: 1.2rem; } .legend i { display: inline-block; width: .9rem;
  height: .9rem; margin-right: .35rem; vertical-align: -.1rem; border-radius: 2px; }
"""
    + "\n".join(f".{name} {{ background: {colour}; }}" for name, colour, _ in COLOURS.values())
    + "\n"
)


def page(report: conformancepb.ConformanceReport, months: Sequence[MonthRow], unserved: str = "") -> str:
    """The whole page. `months` is the coverage of what is served; `unserved` says why nothing is."""
    title = f"Conformance of {report.dataset}"
    body = [
        f"<h1>{escape(title)}</h1>",
        _counts(report),
        f"<h2>Coverage by day</h2>\n{_map(months, unserved)}",
        f"<h2>Findings</h2>\n{_findings(report.findings)}",
        _gaps(report.gaps),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(body)
        + "\n</body>\n</html>\n"
    )


def _counts(report: conformancepb.ConformanceReport) -> str:
    facts = {
        "rows in": f"{report.rows_in:,}",
        "bars out": f"{report.rows_out:,}",
        "bars expected": f"{report.bars_expected:,}",
        "bars there": f"{report.bars_present:,}",
        "coverage": f"{report.data_ratio:.2%}",
        "resolved": f"{report.resolved_ratio:.2%}",
        "held back": f"{report.bars_held_back:,}",
        "strictness": enum_word(conformancepb.ConformanceStrictness, report.strictness),
        "rules": report.rule_version,
        "schema": report.schema_version or "none",
        "schema in canary": report.canary_schema_version or "none",
    }
    shown = "".join(f"<div><dt>{name}</dt><dd>{escape(value)}</dd></div>" for name, value in facts.items())
    return f"<dl>{shown}</dl>"


def _map(months: Sequence[MonthRow], unserved: str) -> str:
    """A row for each month, a cell for each day."""
    if unserved:
        return f"<p>Nothing of it is served: {escape(unserved)}</p>"
    if not months:
        return "<p>No day has a bar or is expected to have one.</p>"
    days = "".join(f"<th>{day}</th>" for day in range(1, 32))
    rows = "\n".join(_month(row) for row in months)
    legend = "".join(f'<span><i class="{name}"></i>{words}</span>' for name, _, words in COLOURS.values())
    return (
        f'<div class="scroll"><table class="map">\n<tr class="days"><th></th>{days}</tr>\n{rows}\n</table></div>\n'
        f'<p class="legend">{legend}</p>'
    )


def _month(row: MonthRow) -> str:
    month = f"{row.year}-{row.month:02d}"
    cells = "".join(
        f'<td class="{COLOURS[cell][0]}" title="{month}-{day:02d}: {COLOURS[cell][2]}"></td>'
        for day, cell in enumerate(row.cells, start=1)
    )
    return f"<tr><th>{month}</th>{cells}</tr>"


def _findings(findings: Iterable[conformancepb.ConformanceFinding]) -> str:
    rows = []
    for one in findings:
        action = enum_word(conformancepb.ConformanceAction, one.action)
        kind = "refused" if one.action == conformancepb.CONFORMANCE_ACTION_REFUSED else "" if one.rows else "quiet"
        samples = "".join(f"<li>{_sample(sample)}</li>" for sample in one.samples)
        rows.append(
            f'<tr class="{kind}"><td>{enum_word(conformancepb.ConformanceRule, one.rule)}</td>'
            f'<td>{action}</td><td class="n">{one.rows:,}</td><td>{"yes" if one.blocking else "no"}</td>'
            f"<td>{f'<ul>{samples}</ul>' if samples else ''}</td></tr>"
        )
    head = '<tr><th>rule</th><th>action</th><th class="n">rows</th><th>blocking</th><th>samples</th></tr>'
    return f'<div class="scroll"><table>\n{head}\n' + "\n".join(rows) + "\n</table></div>"


def _sample(sample: conformancepb.ConformanceSample) -> str:
    at = f"{when(sample.open_time)} " if sample.HasField("open_time") else ""
    return escape(f"{at}{sample.message}")


def _gaps(gaps: Sequence[coveragepb.Gap]) -> str:
    """The longest gaps first, and how many more there are."""
    shown = sorted(gaps, key=lambda gap: -gap.bars)[:GAPS_MAX]
    more = f", the longest {len(shown)}" if len(shown) < len(gaps) else ""
    title = f"<h2>Gaps: {len(gaps):,}{more}</h2>"
    if not shown:
        return title
    rows = "\n".join(
        f"<tr><td>{when(gap.range.start)}</td><td>{when(gap.range.end)}</td>"
        f'<td class="n">{gap.bars:,}</td><td>{enum_word(coveragepb.GapKind, gap.kind)}</td></tr>'
        for gap in shown
    )
    head = '<tr><th>from</th><th>to</th><th class="n">bars</th><th>why</th></tr>'
    return f'{title}\n<div class="scroll"><table>\n{head}\n{rows}\n</table></div>'
