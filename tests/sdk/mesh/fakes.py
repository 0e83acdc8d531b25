"""The gateway's services in this process, for tests of the connected SDK: real messages, small state, breaks on demand.

A bar is played only once the follower confirmed the one before, and the venue (the simulated account of local
replays) sees it just before it is sent, or `venue_late` portfolios come before. `breaks` counts replies that are
lost after the work was done.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from types import SimpleNamespace
from typing import Any, cast

import polars as pl

from brokerage.domain.backtest.account import SimulatedAccount
from brokerage.domain.models.profiles.generic import spot
from brokerage.domain.orders.events import OrderEvent
from brokerage.domain.orders.states import EventKind
from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.broker.v1 import account_service_pb2_grpc as accountrpc
from qmtl.broker.v1 import instrument_service_pb2_grpc as instrumentrpc
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.broker.v1 import order_service_pb2_grpc as orderrpc
from qmtl.broker.v1 import portfolio_pb2 as portfoliopb
from qmtl.broker.v1 import portfolio_service_pb2_grpc as portfoliorpc
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.decimals import format_decimal
from qmtl.core.errors import (
    QmtlError,
    Unavailable,
)
from qmtl.dag.v1 import diff_pb2 as diffpb
from qmtl.dag.v1 import queue_catalogue_service_pb2_grpc as queuecataloguerpc
from qmtl.data.v1 import catalogue_service_pb2_grpc as cataloguerpc
from qmtl.data.v1 import data_service_pb2 as dataservicepb
from qmtl.data.v1 import data_service_pb2_grpc as datarpc
from qmtl.data.v1 import data_session_service_pb2_grpc as datasessionrpc
from qmtl.data.v1 import feature_service_pb2 as featureservicepb
from qmtl.data.v1 import feature_service_pb2_grpc as featurerpc
from qmtl.data.v1 import records_pb2 as recordspb
from qmtl.gateway.v1 import event_service_pb2_grpc as eventrpc
from qmtl.gateway.v1 import queue_service_pb2_grpc as queuerpc
from qmtl.gateway.v1 import strategy_pb2 as strategypb
from qmtl.gateway.v1 import strategy_service_pb2_grpc as strategyrpc
from qmtl.gateway.v1 import trading_service_pb2_grpc as tradingrpc
from qmtl.sdk import Bars
from qmtl.sdk.mesh.client import Client
from qmtl.sdk.mesh.wire.orders import is_open
from qmtl.wire.instants import ns_to_proto
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import activation_service_pb2_grpc as activationrpc
from qmtl.world.v1 import allocation_service_pb2_grpc as allocationrpc
from qmtl.world.v1 import apply_service_pb2_grpc as applyrpc
from qmtl.world.v1 import audit_service_pb2_grpc as auditrpc
from qmtl.world.v1 import binding_service_pb2_grpc as bindingrpc
from qmtl.world.v1 import campaign_service_pb2_grpc as campaignrpc
from qmtl.world.v1 import decision_pb2 as decisionpb
from qmtl.world.v1 import divergence_service_pb2_grpc as divergencerpc
from qmtl.world.v1 import evaluation_pb2 as evaluationpb
from qmtl.world.v1 import evaluation_service_pb2 as evaluationservicepb
from qmtl.world.v1 import evaluation_service_pb2_grpc as evaluationrpc
from qmtl.world.v1 import policy_service_pb2_grpc as policyrpc
from qmtl.world.v1 import session_pb2 as sessionpb
from qmtl.world.v1 import world_service_pb2_grpc as worldrpc
from tests.sdk.mesh.samples import CASH, PRESET
from tests.sdk.mesh.services.brokerage import FakeBrokerage
from tests.sdk.mesh.services.dagmanager import FakeQueueCatalogue
from tests.sdk.mesh.services.gateway import FakeGateway
from tests.sdk.mesh.services.seamless import FakeSeamless
from tests.sdk.mesh.services.worldservice import FakeWorldService


class FakeMesh:
    """What all services know, and what is to go wrong. The session plays the bars from `session_from` on."""

    def __init__(self, bars: Bars, session_from: int) -> None:
        self.bars = bars
        self.start_ns = int(bars.close_ns[session_from - 1])
        self.breaks: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self.live: dict[str, strategypb.Strategy] = {}
        self.canceled: dict[str, str] = {}  # why, by strategy
        self.assignments: dict[str, list[diffpb.QueueAssignment]] = {}  # by strategy
        self.evaluations: list[evaluationservicepb.EvaluateRequest] = []
        self.account_model: accountpb.AccountModel | None = None
        self.on_promote = decisionpb.ON_PROMOTE_UNSPECIFIED
        self.promoted_ns = 0  # of what is live; 0: it says nothing
        self.order_lists: dict[str, evaluationpb.OrderList] = {}
        self.evidence: list[evaluationpb.EvidenceState] = []  # of the next answers; then it is replayed
        self.evidence_message = ""
        self.warnings: list[str] = []
        self.profile = ""  # that its account was opened with
        self.fetches: list[dataservicepb.FetchRequest] = []
        self.features: dict[str, pl.DataFrame] = {}  # rows by factor, `time_ns` first
        self.feature_reads: list[featureservicepb.ReadFeatureRequest] = []
        self.denials: list[orderpb.Denial] = []
        self.drop_after_bars: list[int] = []
        self.watermark_ns = self.start_ns
        self.preset = PRESET
        self.confirmed_ns: dict[str, int] = {}
        self.followers: list[str] = []
        self.left: list[tuple[str, int]] = []
        self.venue_late = 0
        self.data_session_open = False
        self.before_bar: Callable[[int], Awaitable[None]] | None = None  # is waited for before a bar is played
        self.venue = SimulatedAccount(spot(), {"USD": CASH})
        self.working: dict[str, None] = {}  # names of orders that are open
        self.cancels_pend = False  # the venue has not heard of a cancel yet
        self.traders: set[str] = set()  # strategies that have ordered
        self.exchange_accounts: dict[str, list[str]] = {}  # the symbols that each is fed
        self.exchange_feed_s = 0  # the interval of these feeds
        self.consents: list[object] = []  # of each order: whether live trading was meant
        self.orders: dict[str, orderpb.OrderStatus] = {}
        self.capital: list[portfoliopb.AllocatedCapital] = []  # none: the account has no shares
        self.repeated_orders = 0
        self.fills: list[orderpb.Fill] = []
        self.activation = activationpb.ActivationEnvelope(world_revision=1)
        self.watched = asyncio.Event()
        self.moved = asyncio.Event()
        self.resumed_from: list[str] = []
        self.stale_tokens = 0
        self.queues: dict[str, list[recordspb.RecordBatch]] = {}
        self.leases: dict[str, tuple[str, int]] = {}
        self.queue_error: QmtlError | None = None
        self.silent_queues = False

    @property
    def client(self) -> Client:
        """Stubs that call this mesh."""
        gateway, world, data, brokerage = (
            FakeGateway(self),
            FakeWorldService(self),
            FakeSeamless(self),
            FakeBrokerage(self),
        )
        return Client(
            cast("strategyrpc.StrategyServiceAsyncStub", _stub(gateway, "WatchStrategy")),
            cast("eventrpc.EventServiceAsyncStub", _stub(gateway, "SubscribeEvents")),
            cast("tradingrpc.TradingServiceAsyncStub", _stub(gateway, "")),
            cast("queuerpc.QueueServiceAsyncStub", _stub(gateway, "ReadQueue")),
            cast("worldrpc.WorldServiceAsyncStub", _stub(world, "")),
            cast("policyrpc.PolicyServiceAsyncStub", _stub(world, "")),
            cast("bindingrpc.BindingServiceAsyncStub", _stub(world, "")),
            cast("evaluationrpc.EvaluationServiceAsyncStub", _stub(world, "")),
            cast("activationrpc.ActivationServiceAsyncStub", _stub(world, "")),
            cast("applyrpc.ApplyServiceAsyncStub", _stub(world, "")),
            cast("auditrpc.AuditServiceAsyncStub", _stub(world, "")),
            cast("allocationrpc.AllocationServiceAsyncStub", _stub(world, "")),
            cast("campaignrpc.CampaignServiceAsyncStub", _stub(world, "")),
            cast("divergencerpc.DivergenceServiceAsyncStub", _stub(world, "")),
            cast("accountrpc.AccountServiceAsyncStub", _stub(brokerage, "")),
            cast("instrumentrpc.InstrumentServiceAsyncStub", _stub(brokerage, "")),
            cast("orderrpc.OrderServiceAsyncStub", _stub(brokerage, "StreamOrderEvents")),
            cast("portfoliorpc.PortfolioServiceAsyncStub", _stub(brokerage, "StreamPortfolio")),
            cast("datarpc.DataServiceAsyncStub", _stub(data, "Fetch Subscribe")),
            cast("datasessionrpc.DataSessionServiceAsyncStub", _stub(data, "")),
            cast("cataloguerpc.CatalogueServiceAsyncStub", _stub(data, "")),
            cast("featurerpc.FeatureServiceAsyncStub", _stub(data, "ReadFeature")),
            cast("queuecataloguerpc.QueueCatalogueServiceAsyncStub", _stub(FakeQueueCatalogue(self), "")),
            "in this process",
        )

    def activate(
        self, strategy_id: str, *, active: bool = True, freeze: bool = False, live: bool = False, drain: bool = False
    ) -> None:
        """Set the strategy's long side, and open the world's session in its domain."""
        entry = activationpb.ActivationEntry(
            strategy_id=strategy_id,
            side=commonpb.SIDE_LONG,
            effective_mode=commonpb.EFFECTIVE_MODE_LIVE if live else commonpb.EFFECTIVE_MODE_PAPER,
            weight="1.0",
            active=active,
            freeze=freeze,
            drain=drain,
        )
        if live and self.promoted_ns:
            entry.live_since.CopyFrom(ns_to_proto(self.promoted_ns))
        session = sessionpb.Session(
            session_id="session-live" if live else "session-1",
            world_id="w",
            execution_domain=commonpb.EXECUTION_DOMAIN_LIVE if live else commonpb.EXECUTION_DOMAIN_DRYRUN,
            start=ns_to_proto(self.start_ns),
            data_preset=PRESET.name,
            state=sessionpb.SESSION_STATE_OPEN,
        )
        revision = self.activation.world_revision + 1
        self.activation = activationpb.ActivationEnvelope(world_revision=revision, entries=[entry], sessions=[session])

    def passed(self, name: str) -> None:
        """The work of a call is done: count it, and lose the reply if it is to be lost."""
        self.calls[name] += 1
        if self.breaks[name] > 0:
            self.breaks[name] -= 1
            raise Unavailable("E_TEST", f"the reply of {name} is lost on purpose")

    def show(self, events: list[OrderEvent]) -> None:
        """Take over what the venue did."""
        for event in events:
            record = self.venue.book.records[event.order_id]
            status = self.orders[record.order.client_order_id]
            if event.kind is EventKind.FILLED:
                self.fills.append(self._fill(status, event))
            instrument = self.venue.instrument(status.order.symbol)
            done = instrument.quantity_decimal(record.filled)
            status.cumulative_quantity = format_decimal(done)
            status.working_quantity = format_decimal(done + instrument.quantity_decimal(record.remaining))
            status.state = cast("orderpb.OrderState", orderpb.OrderState.Value(f"ORDER_STATE_{record.state.name}"))
            status.view = cast("orderpb.OrderView", orderpb.OrderView.Value(f"ORDER_VIEW_{record.public.name}"))
            if is_open(status):
                self.working[status.order.client_order_id] = None
            else:
                self.working.pop(status.order.client_order_id, None)

    def _fill(self, status: orderpb.OrderStatus, event: OrderEvent) -> orderpb.Fill:
        view = self.venue.fill_view(event)
        return orderpb.Fill(
            client_order_id=status.order.client_order_id,
            symbol=view.symbol,
            side=status.order.side,
            trade_id=view.trade_id,
            quantity=format_decimal(view.quantity),
            price=format_decimal(view.price),
            fee=format_decimal(view.fee),
            fee_currency=view.fee_currency,
            venue_time=ns_to_proto(view.at_ns),
            account_fill_number=len(self.fills) + 1,
            account_time=ns_to_proto(event.at_ns),
        )


class Replies:
    """A server stream as a stub hands it out: pulled reply by reply, cancelled at the end."""

    def __init__(self, replies: AsyncIterator[Any]) -> None:
        self._replies = replies

    def __aiter__(self) -> AsyncIterator[Any]:
        return self._replies

    def cancel(self) -> bool:
        return True


def _stub(service: object, streams: str) -> SimpleNamespace:
    """A service's methods as a stub has them: plain calls awaited, streams iterated and cancelled."""
    calls: dict[str, Callable[..., Awaitable[Any] | Replies]] = {}
    for name, method in vars(type(service)).items():
        if name[0].isupper():
            bound = method.__get__(service)
            calls[name] = (
                (lambda request, b=bound, **given: Replies(b(request, **given))) if name in streams.split() else bound
            )
    return SimpleNamespace(**calls)
