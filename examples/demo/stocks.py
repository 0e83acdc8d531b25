"""The second world of the demo: one strategy over three stocks, judged by the world's own replay of its orders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, localcontext

from rich.console import Console
from rich.table import Table

from examples.demo.ingestion import conformance_report, rule_word
from examples.demo.narration import chapter
from examples.multi_asset_momentum import STOCKS, MultiAssetMomentum
from qmtl.cli.show.verdicts import as_judged_now, explain_world, standings_of
from qmtl.core.decimals import to_decimal
from qmtl.sdk import OHLCV, Bars, Runner
from qmtl.sdk.mesh.client import Client, Gateway, open_client
from qmtl.sdk.mesh.submission.result import SubmitResult
from qmtl.sdk.reports.benchmark import benchmark_metrics
from qmtl.sdk.reports.tables import show_metric
from qmtl.stats.lot_trades import EXACT, LotTrades, lot_trades
from qmtl.world.v1 import binding_service_pb2 as bindingservicepb
from qmtl.world.v1 import evaluation_pb2 as evaluationpb
from qmtl.world.v1 import evaluation_service_pb2 as evaluationservicepb
from qmtl.world.v1 import policy_service_pb2 as policyservicepb
from qmtl.world.v1 import world_service_pb2 as worldservicepb

WORLD = "demo-stocks"
PRESET = "demo.stocks"
POLICY = """\
data_currency: {max_lag: 1d, min_history: 365d}
selection:
  gates: {and: ["sample_days >= 365", "n_trades >= 10", "max_drawdown <= 0.35"]}
  score: "sharpe"
  topk: {total: 2}
"""
COMPARED = ("total_return", "cagr", "sharpe", "max_drawdown", "n_trades")
_CLOSE = OHLCV.column("close")


@dataclass(frozen=True, slots=True)
class StockTrades:
    """What the trades of one stock made, in the run's currency: closed lots after fees, open lots at the last close."""

    symbol: str
    closed: int
    net: Decimal
    held: Decimal
    open_profit: Decimal


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One metric as text: of the world's replay, as the client claimed it, of equal parts bought once and held.

    "-": there is none.
    """

    name: str
    replayed: str
    claimed: str
    held: str


@dataclass(frozen=True, slots=True)
class StocksResult:
    """The second world's part of the story: the submission, its numbers by stock and by metric, and the explanation."""

    submitted: SubmitResult
    trades: tuple[StockTrades, ...]
    metrics: tuple[MetricRow, ...]
    explained: tuple[str, ...]

    @property
    def profit(self) -> Decimal:
        """What all stocks made together, open lots at their last closes."""
        with localcontext(EXACT):
            return sum((one.net + one.open_profit for one in self.trades), Decimal(0))

    @property
    def symbols(self) -> str:
        return ", ".join(one.symbol for one in self.trades)


async def tell_stocks(console: Console, gateway: Gateway) -> StocksResult:
    """The chapters of the second world."""
    async with open_client(gateway) as client:
        await _world(console, client)
        chapter(console, "9. One strategy over all of them, its orders replayed by the mesh")
        submitted = await Runner.submit_async(MultiAssetMomentum(), world=WORLD, data=PRESET, gateway=gateway)
        explained = await _explanation(client, submitted)
    result = StocksResult(submitted, stock_trades(submitted), metric_rows(submitted), explained)
    console.print(submitted)
    _numbers(console, result)
    chapter(console, f"10. Why: what `qmtl world explain {WORLD}` says")
    for line in explained:
        console.print(line, markup=False)
    return result


async def _world(console: Console, client: Client) -> None:
    chapter(console, "8. A second world, on three stocks")
    for preset in STOCKS.values():
        report = await conformance_report(client, preset)
        found = ", ".join(f"{rule_word(one)} {one.rows:,}" for one in report.findings if one.rows)
        console.print(
            f"{report.dataset}: {report.rows_in:,} rows in, {report.rows_out:,} bars out, {report.data_ratio:.2%} of"
            f" the sessions of its exchange; {f'found: {found}' if found else 'no rule found anything'}"
        )
    await client.worlds.CreateWorld(worldservicepb.CreateWorldRequest(world_id=WORLD, data_presets=[PRESET]))
    put = policyservicepb.PutPolicyRequest(world_id=WORLD, document=POLICY, make_default=True)
    policy = (await client.policies.PutPolicy(put)).policy
    console.print(f"world [bold]{WORLD}[/bold] on the universe {PRESET}, policy version {policy.version}:")
    console.print(POLICY, style="dim", markup=False)


async def _explanation(client: Client, submitted: SubmitResult) -> tuple[str, ...]:
    """What `qmtl world explain` says of the world, line by line."""
    asked = evaluationservicepb.ListReportsRequest(world_id=WORLD)
    judged = await client.evaluation.ListReports(asked)
    bound = await client.bindings.ListBindings(bindingservicepb.ListBindingsRequest(world_id=WORLD))
    runs = [submitted.evaluation] if submitted.evaluation is not None else []
    names = {submitted.strategy_id: submitted.name}
    standings = standings_of(bound.bindings, runs, submitted.activation, names)
    return tuple(explain_world(judged.decision, as_judged_now(standings, judged.reports, judged.unsettled)))


def stock_trades(submitted: SubmitResult) -> tuple[StockTrades, ...]:
    """The trades of each stock, in the order of the bars."""
    replay = submitted.replay
    currencies = {series.symbol: (series.symbol, replay.currency) for series in submitted.bars}
    found = lot_trades(replay.fills, currencies, replay.multipliers)
    with localcontext(EXACT):
        return tuple(_of_stock(series, found, replay.multipliers) for series in submitted.bars)


def _of_stock(series: Bars, found: LotTrades, multipliers: Mapping[str, Decimal]) -> StockTrades:
    nets = [trade.net for trade in found.trades if trade.symbol == series.symbol]
    lots = found.open_lots.get(series.symbol, ())
    last, value = to_decimal(float(series.values[-1, _CLOSE])), multipliers.get(series.symbol, Decimal(1))
    open_profit = sum(((last - lot.price) * lot.quantity * value - lot.fees for lot in lots), Decimal(0))
    held = sum((lot.quantity for lot in lots), Decimal(0))
    return StockTrades(series.symbol, len(nets), sum(nets, Decimal(0)), held, open_profit)


def metric_rows(submitted: SubmitResult) -> tuple[MetricRow, ...]:
    """The metrics of COMPARED from the three places that have them."""
    run = submitted.evaluation or evaluationpb.EvaluationRun()
    replayed, claimed = ({one.name: one.value for one in metrics} for metrics in (run.metrics, run.claims))
    held = benchmark_metrics(submitted.replay, submitted.bars)
    return tuple(MetricRow(name, *(_text(name, of) for of in (replayed, claimed, held))) for name in COMPARED)


def _text(name: str, metrics: Mapping[str, float]) -> str:
    return show_metric(name, metrics[name]) if name in metrics else "-"


def _numbers(console: Console, result: StocksResult) -> None:
    table = Table(box=None, header_style="dim", pad_edge=False)
    for column in ("metric", "the world's replay", "the client's claim", "equal parts held"):
        table.add_column(column, justify="left" if column == "metric" else "right")
    for row in result.metrics:
        table.add_row(row.name, row.replayed, row.claimed, row.held)
    console.print(table)
    currency = result.submitted.replay.currency
    for one in result.trades:
        left = f", {one.held:f} shares held at the end: {one.open_profit:+,.2f} {currency} open" if one.held else ""
        console.print(f"  {one.symbol:<5} {one.closed} lots closed: {one.net:+,.2f} {currency} after fees{left}")
    equity = result.submitted.replay.equity
    console.print(f"Together {result.profit:+,.2f} {currency}: equity went from {equity[0]:,.2f} to {equity[-1]:,.2f}.")
