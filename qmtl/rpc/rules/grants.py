"""Which service may call what with its own token, without a user behind it.

Patterns are full method names, `/package.Service/Method`, or `/package.Service/*`. A service not in
the table is nobody: its token opens nothing and forwards nobody. `operator` is the identity of people
at a terminal: it reads everything, everywhere, and writes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

EDGE: Final = "gateway"  # the one service users call

CONTROL: Final = "/qmtl.control.v1"
DAG: Final = "/qmtl.dag.v1"
WORLDS: Final = "/qmtl.world.v1.WorldService"
BINDINGS: Final = "/qmtl.world.v1.BindingService"
EVALUATION: Final = "/qmtl.world.v1.EvaluationService"
ACTIVATION: Final = "/qmtl.world.v1.ActivationService"
ALLOCATIONS: Final = "/qmtl.world.v1.AllocationService"
REBALANCES: Final = "/qmtl.world.v1.RebalanceProgressService"
APPLIES: Final = "/qmtl.world.v1.ApplyService"
WORLD_ACCESS: Final = "/qmtl.world.v1.AccessService"
GATES: Final = "/qmtl.world.v1.GateService"
SESSIONS: Final = "/qmtl.world.v1.SessionService"
RISK: Final = "/qmtl.risk.v1.RiskService"
WORLD_STATUS: Final = "/qmtl.world.v1.StatusService"
ACCOUNTS: Final = "/qmtl.broker.v1.AccountService"
INSTRUMENTS: Final = "/qmtl.broker.v1.InstrumentService"
FENCES: Final = "/qmtl.broker.v1.FenceService"
ORDERS: Final = "/qmtl.broker.v1.OrderService"
ORDER_ENTRY: Final = "/qmtl.broker.v1.OrderEntryService"
CLOSINGS: Final = "/qmtl.broker.v1.PositionClosingService"
PORTFOLIOS: Final = "/qmtl.broker.v1.PortfolioService"
REPORTED_FILLS: Final = "/qmtl.broker.v1.ReportedFillService"
REPLAYS: Final = "/qmtl.broker.v1.ReplayService"
BROKER_STATUS: Final = "/qmtl.broker.v1.StatusService"
DATA: Final = "/qmtl.data.v1.DataService"
DATA_ARTIFACTS: Final = "/qmtl.data.v1.ArtifactService"
DATA_CATALOGUE: Final = "/qmtl.data.v1.CatalogueService"
DATA_COVERAGE: Final = "/qmtl.data.v1.CoverageService"
DATA_SESSIONS: Final = "/qmtl.data.v1.DataSessionService"
DATA_STATUS: Final = "/qmtl.data.v1.StatusService"


def _each(service: str, methods: str) -> tuple[str, ...]:
    return tuple(f"{service}/{name}" for name in methods.split())


GRANTS: Final[Mapping[str, tuple[str, ...]]] = {
    # Queued submissions, gate sessions, caches, relays and orders: the gateway acts when no user is on the line.
    "gateway": (
        *_each(f"{DAG}.DiffService", "Diff DiffSmall DryRunDiff ReleasePlan"),
        *_each(f"{DAG}.QueueProgressService", "ReportQueueProgress"),
        *_each(f"{DAG}.PlanService", "GetPlan"),
        *_each(f"{DAG}.GraphService", "GetNode"),
        *_each(f"{DAG}.QueueCatalogueService", "GetQueue ListQueues QueryQueues WatchQueues GetQueueStats"),
        *_each(f"{DAG}.SentinelService", "ListSentinels"),
        *_each(f"{DAG}.StatusService", "GetStatus"),
        *_each(WORLDS, "GetWorld ListWorlds"),
        *_each(BINDINGS, "BindStrategy UnbindStrategy ListBindings"),
        *_each(EVALUATION, "Decide"),
        *_each(ACTIVATION, "GetActivation GetStateHash WatchActivation"),
        *_each(APPLIES, "GetApplyRun WatchApplyRun"),
        *_each(WORLD_ACCESS, "GetEffectiveRole"),
        *_each(GATES, "OpenGateSession RenewGateSession AckActivation"),
        *_each(SESSIONS, "OpenSession GetSession AdvanceWatermark CloseSession"),
        *_each(WORLD_STATUS, "GetStatus"),
        *_each(ORDER_ENTRY, "SubmitOrder SubmitNettedOrder SubmitOrderList ReplaceOrder CancelOrder CancelAll"),
        *_each(ORDERS, "GetOrder ListOrders StreamOrderEvents ListFills"),
        *_each(ACCOUNTS, "GetAccount ListAccounts"),
        *_each(PORTFOLIOS, "GetPortfolio StreamPortfolio"),
        *_each(INSTRUMENTS, "GetInstrument"),
        *_each(ALLOCATIONS, "GetRebalance"),
        *_each(REBALANCES, "StartRebalance StopRebalance ReportRebalance ListGoingRebalances"),
        *_each(REPORTED_FILLS, "BookFills"),
        *_each(FENCES, "GetFence"),
        *_each(BROKER_STATUS, "GetStatus"),
        *_each(DATA_ARTIFACTS, "ListArtifacts GetArtifact"),
        *_each(DATA_STATUS, "GetStatus"),
        *_each(f"{CONTROL}.EventStateService", "ListEventStates"),
        *_each(f"{CONTROL}.BrokerStreamService", "GetStreams"),
        *_each(f"{CONTROL}.StatusService", "GetStatus"),
    ),
    # The fence, and what a decision is made from.
    "worldservice": (
        *_each(DATA_CATALOGUE, "GetPreset"),
        *_each(FENCES, "SetFence GetFence"),
        *_each(REPLAYS, "ReplayOrders ReplayBooks"),
        *_each(ACCOUNTS, "OpenPaperAccount GetAccount ListAccounts SetAccountLimits"),
        *_each(ORDER_ENTRY, "CancelAll"),
        *_each(CLOSINGS, "ClosePositions"),
        *_each(PORTFOLIOS, "GetPortfolio ListPositions"),
        *_each(INSTRUMENTS, "GetInstrument"),
        *_each(BROKER_STATUS, "GetStatus"),
        *_each(f"{DAG}.GraphService", "GetNode ListNodes"),
        *_each(f"{DAG}.PlanService", "GetPlan"),
        *_each(f"{DAG}.QueueCatalogueService", "QueryQueues"),
        *_each(f"{DAG}.StatusService", "GetStatus"),
    ),
    "dagmanager": (*_each(WORLDS, "GetWorld"), *_each(BINDINGS, "ListBindings")),
    # Prices for simulated venues and sealed bars for replays, and the world behind a fence.
    "brokerage": (
        *_each(DATA, "Subscribe Fetch"),
        *_each(DATA_ARTIFACTS, "GetArtifact"),
        *_each(DATA_SESSIONS, "ConfirmBars"),
        *_each(DATA_CATALOGUE, "GetPreset ListPresets"),
        *_each(WORLDS, "GetWorld"),
        *_each(ACTIVATION, "GetActivation"),
        *_each(SESSIONS, "GetSession"),
        *_each(WORLD_ACCESS, "GetEffectiveRole"),
        *_each(RISK, "PutSnapshot"),
        *_each(ALLOCATIONS, "ListAllocations"),
    ),
    # A replay moves the watermark of its world's session.
    "seamless": (
        *_each(WORLDS, "GetWorld"),
        *_each(SESSIONS, "GetSession OpenSession AdvanceWatermark AdvanceFeed"),
        *_each(WORLD_ACCESS, "GetEffectiveRole"),
        # of another seamless: what it has sealed
        *_each(DATA, "Fetch"),
        *_each(DATA_ARTIFACTS, "ListArtifacts"),
        *_each(DATA_CATALOGUE, "ListPresets"),
        *_each(DATA_COVERAGE, "GetCoverage"),
    ),
    "controlbus": (),
    "operator": (),
}
READS_EVERYTHING: Final = frozenset({"operator"})


def is_known(service: str) -> bool:
    """Whether a service identity is one of the mesh's."""
    return service in GRANTS


def allows(service: str, method: str, *, read: bool) -> bool:
    """Whether `service` may call `method` for itself; `read`: the contract says it has no side effects."""
    if read and service in READS_EVERYTHING:
        return True
    whole_service = method.rpartition("/")[0] + "/*"
    return any(pattern in (method, whole_service) for pattern in GRANTS.get(service, ()))
