"""The chapters of the demo. Each asks the mesh through its public door and prints what it answered."""

from __future__ import annotations

from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table

from examples.demo.capital import tell_divergence, tell_promotion, tell_shares
from examples.demo.ingestion import conformance_report, rule_word
from examples.demo.narration import Narration, chapter
from examples.demo.report import BitcoinResult, write_report
from examples.demo.stocks import tell_stocks
from examples.ema_cross import EmaCross
from examples.ema_trend import EmaTrend
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import QmtlError
from qmtl.data.v1 import catalogue_service_pb2 as catalogueservicepb
from qmtl.data.v1 import conformance_pb2 as conformancepb
from qmtl.data.v1 import datasets_pb2 as datasetspb
from qmtl.sdk import Runner
from qmtl.sdk.mesh.client import Client, Gateway, open_client
from qmtl.sdk.mesh.history import History
from qmtl.sdk.mesh.session.result import SessionResult
from qmtl.sdk.mesh.session.terms import SessionTerms
from qmtl.sdk.mesh.submission.result import SubmitResult
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from qmtl.world.v1 import audit_service_pb2 as auditservicepb
from qmtl.world.v1 import binding_pb2 as bindingpb
from qmtl.world.v1 import policy_service_pb2 as policyservicepb
from qmtl.world.v1 import world_service_pb2 as worldservicepb

WORLD = "demo"
PRESET = "demo.btc.15m"
TRADED = 5 / 7  # of the days kept: of seven, it ends while the strategy holds bitcoin, for a plan to trade
POLICY = """\
data_currency: {max_lag: 1d, min_history: 30d}
selection:
  gates: {and: ["sample_days >= 30", "n_trades >= 10", "max_drawdown <= 0.35"]}
  score: "sharpe"
  topk: {total: 4}
"""


class Story:
    """One telling, over one client of the gateway."""

    def __init__(self, console: Console, gateway: Gateway, out: Path, days: int) -> None:
        self._console = console
        self._out = out
        self._days = days
        self._gateway = gateway

    async def tell(self) -> None:
        """Every chapter in turn: the world on BTC-USD with its pictures, the world on stocks, the way to live."""
        async with AsyncExitStack() as stack:
            client = await stack.enter_async_context(open_client(self._gateway))
            dataset = await self._data(client)
            await self._world(client)
            end = dataset.range.end.ToDatetime(tzinfo=UTC)
            cut = end - timedelta(days=self._days)
            cross = await self._first(cut)
            trend = await self._second(cut)
            await self._activate(client, cross)
            paper = await self._paper(client, cross, cut + timedelta(days=self._days) * TRADED)
            bitcoin = BitcoinResult(cross, trend, paper)
            self._pictures(bitcoin)
            await self._stocks(bitcoin)
            ids = (cross.strategy_id, trend.strategy_id)
            await tell_shares(self._console, client, WORLD, paper.account.account, ids)
            await tell_promotion(self._console, client, WORLD, POLICY, cross)
            await tell_divergence(self._console, self._gateway, WORLD, EmaCross(), paper, self._out)

    async def _data(self, client: Client) -> datasetspb.Dataset:
        chapter(self._console, "1. The data, as it is")
        report = await conformance_report(client, PRESET)
        table = Table(box=None, header_style="dim", pad_edge=False)
        for column in ("rule", "rows", "what was done", "for example"):
            table.add_column(column)
        found = [finding for finding in report.findings if finding.rows]
        for finding in found:
            action = conformancepb.ConformanceAction.Name(finding.action).removeprefix("CONFORMANCE_ACTION_").lower()
            table.add_row(rule_word(finding), f"{finding.rows:,}", action, _sample(finding))
        self._console.print(f"{report.dataset}: {report.rows_in:,} rows in, {report.rows_out:,} bars out")
        self._console.print(table)
        present, expected = report.bars_present, report.bars_expected
        self._console.print(
            f"The other {len(report.findings) - len(found)} rules found nothing. {present:,} of {expected:,} expected"
            f" bars are there ({report.data_ratio:.2%}); no bar was invented."
        )
        listed = await client.catalogue.ListDatasets(catalogueservicepb.ListDatasetsRequest())
        return next(dataset for dataset in listed.datasets if dataset.dataset == report.dataset)

    async def _world(self, client: Client) -> None:
        chapter(self._console, "2. A world with a policy")
        await client.worlds.CreateWorld(worldservicepb.CreateWorldRequest(world_id=WORLD, data_presets=[PRESET]))
        put = policyservicepb.PutPolicyRequest(world_id=WORLD, document=POLICY, make_default=True)
        policy = (await client.policies.PutPolicy(put)).policy
        self._console.print(f"world [bold]{WORLD}[/bold] on {PRESET}, policy version {policy.version}:")
        self._console.print(POLICY, style="dim", markup=False)
        try:
            bad = policyservicepb.PutPolicyRequest(world_id=WORLD, document=POLICY.replace("sharpe", "sharp"))
            await client.policies.PutPolicy(bad)
        except QmtlError as refused:
            self._console.print(f"A misspelt metric is refused at upload: [yellow]{refused}[/yellow]")

    async def _first(self, cut: datetime) -> SubmitResult:
        chapter(self._console, f"3. A strategy, evaluated on everything before {cut:%Y-%m-%d %H:%M} UTC")
        result = await Runner.submit_async(
            EmaCross(), world=WORLD, data=PRESET, history=History(end=cut), gateway=self._gateway
        )
        self._console.print(result)
        return result

    async def _second(self, cut: datetime) -> SubmitResult:
        chapter(self._console, "4. A second strategy that shares nodes with the first")
        result = await Runner.submit_async(
            EmaTrend(), world=WORLD, data=PRESET, history=History(end=cut), gateway=self._gateway
        )
        self._console.print(result)
        names = ", ".join(result.reused_names)
        total = len(result.assignments)
        self._console.print(
            f"[green]{result.nodes_reused} of its {total} nodes were in the graph already:[/green] {names}"
        )
        read = ", ".join(result.reused.read) or "nothing"
        self._console.print(f"[green]Not computed again, but read from the queues of the first:[/green] {read}")
        return result

    async def _activate(self, client: Client, cross: SubmitResult) -> None:
        chapter(self._console, "5. An operator lets the first one trade on paper")
        self._console.print("Until now nothing could trade: evaluation never activates by itself.")
        change = activationpb.ActivationChange(
            strategy_id=cross.strategy_id,
            side=commonpb.SIDE_LONG,
            active=True,
            weight="1.0",
            stage=bindingpb.STAGE_PAPER,
        )
        request = activationservicepb.SetActivationRequest(world_id=WORLD, changes=[change], message="demo")
        activation = (await client.activation.SetActivation(request)).activation
        mode = commonpb.EffectiveMode.Name(activation.effective_mode).removeprefix("EFFECTIVE_MODE_")
        self._console.print(
            f"activation revision {activation.world_revision}, mode {mode}, fence epoch {activation.fence_epoch}"
            f"{' (fence pending)' if activation.fence_pending else ', confirmed by brokerage'}"
        )

    async def _paper(self, client: Client, cross: SubmitResult, until: datetime) -> SessionResult:
        chapter(
            self._console, f"6. Paper to {until:%Y-%m-%d %H:%M}: days it has not seen, bar by bar, on the live path"
        )
        with Narration(self._console) as narration:
            result = await Runner.run_async(
                EmaCross(),
                world=WORLD,
                data=PRESET,
                gateway=self._gateway,
                on_event=narration.heard,
                terms=SessionTerms(until=until),
            )
        self._console.print(result)
        self._console.print("The paper evaluation is recorded beside that of the history; the decision stands.")
        audit = await client.audit.ListAudit(auditservicepb.ListAuditRequest(world_id=WORLD))
        self._console.print(f"The world's audit log has {len(audit.entries)} entries; the newest:")
        for entry in audit.entries[:5]:
            at = entry.time.ToDatetime(tzinfo=UTC)
            self._console.print(
                f"  {at:%H:%M:%S} {entry.actor} {entry.event} {entry.message}", style="dim", markup=False
            )
        return result

    def _pictures(self, bitcoin: BitcoinResult) -> None:
        chapter(self._console, "7. Pictures")
        self._out.mkdir(parents=True, exist_ok=True)
        bitcoin.cross.plot(self._out / "ema-cross-backtest.png")
        bitcoin.trend.plot(self._out / "ema-trend-backtest.png")
        bitcoin.paper.plot(self._out / "ema-cross-paper.png")
        write_report(self._out, bitcoin)
        for name in ("ema-cross-backtest.png", "ema-cross-paper.png", "ema-trend-backtest.png", "report.html"):
            self._console.print(f"  {self._out / name}")

    async def _stocks(self, bitcoin: BitcoinResult) -> None:
        stocks = await tell_stocks(self._console, self._gateway)
        chapter(self._console, "11. Its picture, and the report of both worlds")
        self._console.print(f"  {stocks.submitted.plot(self._out / f'{stocks.submitted.name}-backtest.png')}")
        self._console.print(f"  {write_report(self._out, bitcoin, stocks)}")


def _sample(finding: conformancepb.ConformanceFinding) -> str:
    """The first place where a rule found something."""
    if not finding.samples:
        return ""
    first = finding.samples[0]
    return f"{first.open_time.ToJsonString()} {first.message}" if first.HasField("open_time") else first.message
