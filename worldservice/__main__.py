"""Composition root: store, bus, relay, fence keeper, re-decider, servicers. `python -m worldservice`."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from controlbus.bus import Bus
from controlbus.coordination.tenures import Tenures
from controlbus.outbox.relay import Relay
from controlbus.outbox.status import StatusSources
from controlbus.service_bus import service_bus
from qmtl.broker.v1 import account_service_pb2_grpc as accountrpc
from qmtl.broker.v1 import fence_service_pb2_grpc as fencerpc
from qmtl.broker.v1 import instrument_service_pb2_grpc as instrumentrpc
from qmtl.broker.v1 import portfolio_service_pb2_grpc as portfoliorpc
from qmtl.broker.v1 import position_closing_service_pb2_grpc as positionclosingrpc
from qmtl.broker.v1 import replay_service_pb2_grpc as replayrpc
from qmtl.control.v1 import event_state_service_pb2 as eventstateservicepb
from qmtl.control.v1 import event_state_service_pb2_grpc as eventstaterpc
from qmtl.data.v1 import catalogue_service_pb2_grpc as cataloguerpc
from qmtl.risk.v1 import risk_service_pb2 as riskservicepb
from qmtl.risk.v1 import risk_service_pb2_grpc as riskrpc
from qmtl.rpc.rules.contracts import service_of
from qmtl.rpc.run import Runtime, start
from qmtl.rpc.server.server import Server
from qmtl.sql.database import open_database
from qmtl.world.v1 import access_service_pb2 as accessservicepb
from qmtl.world.v1 import access_service_pb2_grpc as accessrpc
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from qmtl.world.v1 import activation_service_pb2_grpc as activationrpc
from qmtl.world.v1 import allocation_service_pb2 as allocationservicepb
from qmtl.world.v1 import allocation_service_pb2_grpc as allocationrpc
from qmtl.world.v1 import apply_service_pb2 as applyservicepb
from qmtl.world.v1 import apply_service_pb2_grpc as applyrpc
from qmtl.world.v1 import audit_service_pb2 as auditservicepb
from qmtl.world.v1 import audit_service_pb2_grpc as auditrpc
from qmtl.world.v1 import binding_service_pb2 as bindingservicepb
from qmtl.world.v1 import binding_service_pb2_grpc as bindingrpc
from qmtl.world.v1 import campaign_service_pb2 as campaignservicepb
from qmtl.world.v1 import campaign_service_pb2_grpc as campaignrpc
from qmtl.world.v1 import divergence_service_pb2 as divergenceservicepb
from qmtl.world.v1 import divergence_service_pb2_grpc as divergencerpc
from qmtl.world.v1 import evaluation_service_pb2 as evaluationservicepb
from qmtl.world.v1 import evaluation_service_pb2_grpc as evaluationrpc
from qmtl.world.v1 import gate_service_pb2 as gateservicepb
from qmtl.world.v1 import gate_service_pb2_grpc as gaterpc
from qmtl.world.v1 import policy_service_pb2 as policyservicepb
from qmtl.world.v1 import policy_service_pb2_grpc as policyrpc
from qmtl.world.v1 import rebalance_progress_service_pb2 as rebalanceservicepb
from qmtl.world.v1 import rebalance_progress_service_pb2_grpc as rebalancerpc
from qmtl.world.v1 import session_service_pb2 as sessionservicepb
from qmtl.world.v1 import session_service_pb2_grpc as sessionrpc
from qmtl.world.v1 import status_service_pb2 as statusservicepb
from qmtl.world.v1 import status_service_pb2_grpc as statusrpc
from qmtl.world.v1 import world_graph_service_pb2 as worldgraphservicepb
from qmtl.world.v1 import world_graph_service_pb2_grpc as worldgraphrpc
from qmtl.world.v1 import world_service_pb2 as worldservicepb
from qmtl.world.v1 import world_service_pb2_grpc as worldrpc
from worldservice.activation.domain.unwritten import UnwrittenHolds
from worldservice.activation.fence_keeper import FenceKeeper
from worldservice.activation.hold_notices import HoldNotices
from worldservice.activation.narrowing import narrow
from worldservice.activation.redecider import Redecider
from worldservice.activation.service.activation import ActivationServicer
from worldservice.activation.service.gates import GateServicer
from worldservice.activation.service.sessions import SessionServicer
from worldservice.activation.store import gates
from worldservice.allocation.broker_accounts import BrokerAccounts
from worldservice.allocation.budget_keeper import BudgetKeeper
from worldservice.allocation.service.progress import RebalanceProgressServicer
from worldservice.allocation.service.servicer import AllocationServicer
from worldservice.allocation.store.sets import share_in_world
from worldservice.apply import store as apply_store
from worldservice.apply.domain.run import ApplyTimeouts
from worldservice.apply.driver import ApplyDriver
from worldservice.apply.service import ApplyServicer
from worldservice.apply.starting import ApplyStarter
from worldservice.bindings.service import BindingServicer
from worldservice.campaigns.canary import Canary, canary_blocks
from worldservice.campaigns.demoting import Demotions
from worldservice.campaigns.dossier.checking import DossierChecker
from worldservice.campaigns.dossier.telling import Dossiers
from worldservice.campaigns.facts import CampaignBlocks
from worldservice.campaigns.keeper import CampaignKeeper
from worldservice.campaigns.live.evidence import LiveEvidence
from worldservice.campaigns.live.risk_change import CandidateRisks
from worldservice.campaigns.live.shares import share_blocks
from worldservice.campaigns.promoting import Promotions
from worldservice.campaigns.reports.making import ReportMaker
from worldservice.campaigns.reports.service import DivergenceServicer
from worldservice.campaigns.service import CampaignServicer
from worldservice.campaigns.standing import Campaigns
from worldservice.closings.keeper import ClosingKeeper
from worldservice.closings.store import told_closings
from worldservice.config import Settings
from worldservice.evaluation.domain.decision import DecisionSettings, Verdicts
from worldservice.evaluation.replay.replayer import Replayer
from worldservice.evaluation.replay.store import clamp_pending
from worldservice.evaluation.service import EvaluationServicer
from worldservice.event_states import EventStateServicer
from worldservice.graph.service import WorldGraphServicer
from worldservice.metrics import WorldMetrics
from worldservice.policy.service import PolicyServicer
from worldservice.risk.account_limits import LimitsSender
from worldservice.risk.blocks import RiskBlocks
from worldservice.risk.files import SnapshotFiles
from worldservice.risk.reading import HubReturns
from worldservice.risk.realised import HubEvidence
from worldservice.risk.retention import Retention, SnapshotKeeper
from worldservice.risk.service import RiskServicer
from worldservice.risk.watching import RiskWatch
from worldservice.status import StatusServicer
from worldservice.tables import outbox
from worldservice.timing import BrokerageTiming
from worldservice.worlds.acts import Act
from worldservice.worlds.data_presets import DataPresets
from worldservice.worlds.domain.world import Effect, World
from worldservice.worlds.service.access import AccessServicer
from worldservice.worlds.service.audit import AuditServicer
from worldservice.worlds.service.worlds import WorldServicer
from worldservice.worlds.writes import Writes

SERVICE = "worldservice"


@dataclass(frozen=True, slots=True)
class _Rules:
    """What decides how a world is narrowed, how long a gateway may lag, and how long an apply waits."""

    decisions: DecisionSettings
    gate_skew_max: timedelta
    timeouts: ApplyTimeouts

    def narrow(self, conn: Connection, world: World, act: Act) -> Effect:
        """Lower the world to its decision of now."""
        return narrow(conn, world, self.decisions, act).effect

    def narrow_to(self, conn: Connection, world: World, act: Act, verdicts: Verdicts) -> Effect:
        """Lower the world to a decision that was just made on what is stored."""
        return narrow(conn, world, self.decisions, act, verdicts).effect


async def compose(runtime: Runtime, settings: Settings) -> None:
    """Open the parts, serve until told to stop, close them in reverse."""
    clock = runtime.clock
    async with open_database(runtime) as db, service_bus(runtime) as bus:
        started_at = clock.now()
        rules = _rules_of(settings)
        await db.write(lambda conn: clamp(conn, started_at, rules.timeouts))
        relay = Relay(db, outbox, bus, SERVICE, clock)
        metrics = WorldMetrics(runtime.metrics.registry)
        timing, broker = BrokerageTiming(settings.fence_timeout_s, settings.fence_retry_s), runtime.channel("brokerage")
        fences = FenceKeeper(db, fencerpc.FenceServiceStub(broker), clock, rules.decisions, metrics, timing)
        server = runtime.server()
        writes = Writes(db, clock, metrics, server.draining, rules.narrow, fences.push)
        presets = DataPresets(cataloguerpc.CatalogueServiceStub(runtime.channel("seamless")))
        maker = ReportMaker(writes, replayrpc.ReplayServiceStub(runtime.channel("brokerage")))
        replayer = Replayer(writes, rules.decisions, rules.narrow_to, maker.brokerage, presets)
        _add_worlds(server, writes, presets, fences)
        evaluation = EvaluationServicer(
            writes, rules.decisions, rules.narrow_to, replayer, HubEvidence(_snapshot_files(settings))
        )
        _add_evidence(server, evaluation, maker)
        risks, notices = RiskBlocks(_snapshot_files(settings), share_in_world), HoldNotices(bus, UnwrittenHolds(clock))
        starter = _add_campaigns(server, runtime, bus, (maker, rules, fences), risks)
        _add_activation(server, writes, rules, fences, (starter, notices))
        closings = ClosingKeeper(writes, rules.decisions, positionclosingrpc.PositionClosingServiceStub(broker), timing)
        runtime.background("closings", closings.run)
        limits = LimitsSender(db, accountrpc.AccountServiceStub(broker), clock, metrics, timing)
        budgets = _add_allocation(runtime, server, writes, limits, _snapshot_files(settings))
        _add_status(server, StatusServicer(db, StatusSources(SERVICE, clock.now(), bus, clock, runtime.outages, relay)))
        server.add(
            eventstaterpc.add_EventStateServiceServicer_to_server,
            EventStateServicer(db),
            service_of(eventstateservicepb),
        )
        _add_risk(server, writes, rules, settings, limits)
        runtime.background("risk-limits", limits.run)
        runtime.background("risk-snapshots", SnapshotKeeper(writes, _retention(settings)).run)
        runtime.background("outbox-relay", relay.run)
        runtime.background("fences", fences.run)
        runtime.background("hold-notices", notices.run)
        runtime.background("replays", replayer.run)
        applies = ApplyDriver(db, clock, rules.decisions, fences, rules.timeouts, starter.blocks)
        runtime.background("applies", applies.run)
        runtime.background("budgets", budgets.run)
        runtime.background("redecider", Redecider(writes, rules.decisions, fences, settings.redecide_interval_s).run)
        await runtime.serve(server)


def clamp(conn: Connection, now: datetime, timeouts: ApplyTimeouts) -> None:
    """What was stored before the machine's clock was set back counts from now on."""
    gates.clamp_gates(conn, now)
    apply_store.clamp_runs(conn, now, timeouts)
    clamp_pending(conn, now)


def _rules_of(settings: Settings) -> _Rules:
    return _Rules(
        DecisionSettings(settings.replay_presets, timedelta(seconds=settings.decision_ttl_s)),
        timedelta(seconds=settings.gate_skew_max_s),
        ApplyTimeouts(timedelta(seconds=settings.freeze_timeout_s), timedelta(seconds=settings.intents_wait_s)),
    )


def _add_worlds(server: Server, writes: Writes, presets: DataPresets, fences: FenceKeeper) -> None:
    """What a world is, and what it is judged by."""
    worlds = WorldServicer(writes, presets, fences.held)
    server.add(worldrpc.add_WorldServiceServicer_to_server, worlds, service_of(worldservicepb))
    server.add(policyrpc.add_PolicyServiceServicer_to_server, PolicyServicer(writes), service_of(policyservicepb))
    server.add(accessrpc.add_AccessServiceServicer_to_server, AccessServicer(writes), service_of(accessservicepb))
    server.add(auditrpc.add_AuditServiceServicer_to_server, AuditServicer(writes.db), service_of(auditservicepb))
    server.add(
        worldgraphrpc.add_WorldGraphServiceServicer_to_server,
        WorldGraphServicer(writes),
        service_of(worldgraphservicepb),
    )


def _add_evidence(server: Server, evaluation: EvaluationServicer, maker: ReportMaker) -> None:
    """What strategies have shown, and how paper differs from its replay."""
    divergence = DivergenceServicer(maker)
    server.add(evaluationrpc.add_EvaluationServiceServicer_to_server, evaluation, service_of(evaluationservicepb))
    server.add(divergencerpc.add_DivergenceServiceServicer_to_server, divergence, service_of(divergenceservicepb))


def _add_campaigns(
    server: Server,
    runtime: Runtime,
    bus: Bus,
    writing: tuple[ReportMaker, _Rules, FenceKeeper],
    risk: RiskBlocks,
) -> ApplyStarter:
    """Campaigns, and what starts an apply for whoever nothing bars, by `risk` too."""
    maker, rules, fences = writing
    writes = maker.writes
    starter = ApplyStarter(rules.decisions, (CampaignBlocks(rules.decisions), share_blocks, risk), canary_blocks)
    evidence = LiveEvidence(HubReturns(risk.files))
    campaigns = Campaigns(rules.decisions, (risk,), evidence, CandidateRisks(risk))
    promotions, canary = Promotions(campaigns, starter), Canary(campaigns, starter)
    loops = Tenures(bus, writes.clock, lambda world_id: f"{SERVICE}/campaigns/{world_id}")
    dossiers = Dossiers(DossierChecker(maker))
    servicer = CampaignServicer(writes, campaigns, promotions, canary, fences, loops, dossiers)
    server.add(campaignrpc.add_CampaignServiceServicer_to_server, servicer, service_of(campaignservicepb))
    keeper = CampaignKeeper(
        writes.db, writes.clock, writes.metrics, promotions, canary, Demotions(rules.decisions, evidence)
    )
    runtime.background("campaigns", keeper.run)
    return starter


def _add_activation(
    server: Server, writes: Writes, rules: _Rules, fences: FenceKeeper, applying: tuple[ApplyStarter, HoldNotices]
) -> None:
    """What may trade: bindings, activation, applies, and the sessions of worlds and gateways."""
    server.add(
        bindingrpc.add_BindingServiceServicer_to_server,
        BindingServicer(writes, rules.decisions),
        service_of(bindingservicepb),
    )
    server.add(
        activationrpc.add_ActivationServiceServicer_to_server,
        ActivationServicer(writes, rules.decisions, canary_blocks, told_closings),
        service_of(activationservicepb),
    )
    starter, notices = applying
    server.add(
        applyrpc.add_ApplyServiceServicer_to_server,
        ApplyServicer(writes, rules.decisions, fences, rules.timeouts, notices, starter),
        service_of(applyservicepb),
    )
    server.add(
        sessionrpc.add_SessionServiceServicer_to_server,
        SessionServicer(writes, rules.decisions),
        service_of(sessionservicepb),
    )
    server.add(
        gaterpc.add_GateServiceServicer_to_server,
        GateServicer(writes, rules.gate_skew_max, notices.unwritten, apply_store.has_run),
        service_of(gateservicepb),
    )


def _add_risk(server: Server, writes: Writes, rules: _Rules, settings: Settings, limits: LimitsSender) -> None:
    """What the books risk."""
    watch = RiskWatch(rules.decisions, writes.metrics)
    servicer = RiskServicer(writes, _snapshot_files(settings), limits, watch.judge)
    server.add(riskrpc.add_RiskServiceServicer_to_server, servicer, service_of(riskservicepb))


def _snapshot_files(settings: Settings) -> SnapshotFiles:
    return SnapshotFiles(settings.risk_root or str(settings.mesh.home / SERVICE / "risk"))


def _retention(settings: Settings) -> Retention:
    return Retention(timedelta(days=settings.risk_keep_whole_days), timedelta(days=settings.risk_keep_daily_days))


def _add_allocation(
    runtime: Runtime, server: Server, writes: Writes, limits: LimitsSender, files: SnapshotFiles
) -> BudgetKeeper:
    """Shares of accounts, and plans and runs of rebalancing."""
    channel = runtime.channel("brokerage")
    broker = BrokerAccounts(
        accountrpc.AccountServiceStub(channel),
        portfoliorpc.PortfolioServiceStub(channel),
        instrumentrpc.InstrumentServiceStub(channel),
    )
    budgets = BudgetKeeper(writes.db, broker, limits, writes.clock, writes.metrics)
    server.add(
        allocationrpc.add_AllocationServiceServicer_to_server,
        AllocationServicer(writes, broker, budgets, files),
        service_of(allocationservicepb),
    )
    server.add(
        rebalancerpc.add_RebalanceProgressServiceServicer_to_server,
        RebalanceProgressServicer(writes, broker),
        service_of(rebalanceservicepb),
    )
    return budgets


def _add_status(server: Server, servicer: StatusServicer) -> None:
    server.add(
        statusrpc.add_StatusServiceServicer_to_server,
        servicer,
        service_of(statusservicepb),
    )


def main() -> None:
    """Read the settings and run."""
    start(compose, Settings, SERVICE)


if __name__ == "__main__":
    main()
