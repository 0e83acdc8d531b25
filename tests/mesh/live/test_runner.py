"""Runner.run on what its world has made LIVE: orders at the exchange, through an outage of worldservice, to a drain."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.broker.v1 import account_service_pb2 as accountservicepb
from qmtl.broker.v1 import portfolio_service_pb2 as portfolioservicepb
from qmtl.cli.local.supervisor import Mesh
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.config.home import user_token_path
from qmtl.core.errors import PermissionDenied
from qmtl.core.roles import Role
from qmtl.core.tasks.ending import end, first_of
from qmtl.data.v1 import data_session_service_pb2 as datasessionservicepb
from qmtl.rpc.auth.tokens import file_token
from qmtl.rpc.client.channel import connect
from qmtl.sdk import FillEvent, Runner, Strategy, StreamInput, signals
from qmtl.sdk import indicators as ta
from qmtl.sdk.execution.port import DeniedOrder
from qmtl.sdk.mesh.divergence import TradedRun, create_report
from qmtl.sdk.mesh.session.events import BarDone, SessionEvent
from qmtl.sdk.mesh.session.result import SessionResult
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from qmtl.world.v1 import binding_service_pb2 as bindingservicepb
from qmtl.world.v1 import evaluation_pb2 as evaluationpb
from qmtl.world.v1 import evaluation_service_pb2 as evaluationservicepb
from qmtl.world.v1 import policy_service_pb2 as policyservicepb
from qmtl.world.v1 import world_service_pb2 as worldservicepb
from tests.exchange.binance.client import KEYS, opened
from tests.exchange.binance.spot import BinanceSpot
from tests.exchange.core.exchange import Exchange, now_ms
from tests.exchange.core.values import Status
from tests.exchange.market.client import market
from tests.exchange.server import serving
from tests.mesh.gateway_client import GatewayClient, client_over, new_world
from tests.mesh.live.live_world import LIVE, MEANT, PRESET, LiveMesh, applied, ensured, followed, raised, running
from tests.mesh.live.test_live import VENUE
from tests.support.shared.meshes import laid_plan
from tests.support.waiting import eventually

# short doubles: tests/sdk/mesh/session/test_live.py, tests/gateway/orders/test_service.py
pytestmark = [pytest.mark.timeout(300), pytest.mark.soak]
WAIT_S = 60.0
LOT = Decimal("0.0001")
POLICY = """
data_currency: {max_lag: 120s}
selection: {gates: {and: ["n_bars >= 1"]}, score: "double(n_bars)"}
"""


class Flips(Strategy):
    """Long while the last two seconds rise: it changes its mind every few bars."""

    name = "flips"

    def setup(self) -> None:
        price = StreamInput("BTC/USDT", interval="1s")
        rising = signals.trend(ta.ema(price, 2), ta.ema(price, 3))
        self.trade(signals.position_target(rising, long=0.3, short=0.0), price)


@dataclass
class Heard:
    """What a run has told, and a way to wait for more of it."""

    events: list[SessionEvent] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def __call__(self, event: SessionEvent) -> None:
        self.events.append(event)
        self.changed.set()

    async def next(self, run: asyncio.Task[SessionResult], found: Callable[[SessionEvent], bool]) -> None:
        """Wait for an event that comes from now on."""
        seen = len(self.events)
        async with asyncio.timeout(WAIT_S):
            while not any(map(found, self.events[seen:])):
                self.changed.clear()
                await first_of(self.changed.wait(), asyncio.shield(run))
                assert not run.done(), run.exception()


def is_fill(event: SessionEvent) -> bool:
    return isinstance(event, FillEvent)


def is_bar(event: SessionEvent) -> bool:
    return isinstance(event, BarDone)


def is_lapse(event: SessionEvent) -> bool:
    return isinstance(event, DeniedOrder) and event.rule == "GATE_SESSION_LAPSED"


@dataclass
class Promoted:
    """A world in which the strategy may trade live, once an account is there."""

    live: LiveMesh
    client: GatewayClient
    exchange: Exchange
    world: str
    strategy_id: str

    async def open_account(self) -> None:
        asked = accountservicepb.OpenVenueAccountRequest(
            account="acc", venue="main", world_ids=[self.world], base_currency="USDT"
        )
        await self.client.accounts.OpenVenueAccount(asked)
        known = accountservicepb.GetAccountRequest(account="acc")

        async def is_compared() -> bool:
            found = (await self.client.accounts.GetAccount(known)).account
            return found.trading_state == accountpb.TRADING_STATE_ACTIVE

        await eventually(is_compared, WAIT_S)

    async def drain(self) -> None:
        change = activationpb.ActivationChange(strategy_id=self.strategy_id, side=commonpb.SIDE_LONG, drain=True)
        await self.client.activation.SetActivation(
            activationservicepb.SetActivationRequest(world_id=self.world, changes=[change])
        )

    def sent(self) -> int:
        """Orders that have reached the exchange."""
        return sum(order.account == "client" for order in self.exchange.orders.values())


@pytest.fixture
async def promoted(tmp_path: Path) -> AsyncIterator[Promoted]:
    home, exchange = tmp_path / "home", opened()
    folder = home / "credentials"
    folder.mkdir(mode=0o700, parents=True)
    keys = folder / "binance-main.toml"
    keys.touch(mode=0o600)
    keys.write_text(f'api_key = "{KEYS.api_key}"\nsecret = "{KEYS.secret}"\n')
    first_ms = now_ms() // 1_000 * 1_000 - 90_000
    async with (
        market(first_ms=first_ms, interval_ms=1_000) as prices,
        serving(exchange, BinanceSpot(exchange)) as address,
    ):
        config = tmp_path / "qmtl.toml"
        config.write_text(followed(prices.address) + VENUE.format(address=address))
        async with (
            running(Mesh(laid_plan(home, config))) as mesh,
            connect(mesh.address("gateway"), user_token=file_token(user_token_path(mesh.home, Role.OWNER))) as channel,
        ):
            live, client = LiveMesh(mesh, prices, config), client_over(channel)
            world = await new_world(client, PRESET)
            put = policyservicepb.PutPolicyRequest(world_id=world, document=POLICY, make_default=True)
            await client.policies.PutPolicy(put)
            allowed = worldservicepb.UpdateWorldRequest(
                world_id=world, allow_live=True, update_mask={"paths": ["allow_live"]}
            )
            await client.worlds.UpdateWorld(allowed, metadata=MEANT)
            await ensured(live, [PRESET], datetime.now(UTC).replace(microsecond=0))
            known = await Runner.submit_async(Flips(), world=world, gateway=live.gateway)
            assert known.evaluation is not None
            assert known.evaluation.evidence_state == evaluationpb.EVIDENCE_STATE_REPLAYED
            approval = bindingservicepb.ApproveLiveRequest(world_id=world, strategy_id=known.strategy_id)
            await client.bindings.ApproveLive(approval, metadata=MEANT)

            async def is_live() -> bool:
                asked = evaluationservicepb.DecideRequest(world_id=world)
                return (await client.evaluation.Decide(asked)).decision.effective_mode == LIVE

            await eventually(is_live, WAIT_S)
            await raised(client, world, known.strategy_id)
            await applied(client, world, known.strategy_id)
            yield Promoted(live, client, exchange, world, known.strategy_id)


async def test_a_run_trades_live_through_an_outage_of_worldservice_until_it_has_drained(promoted: Promoted) -> None:
    gateway, mesh, heard = promoted.live.gateway, promoted.live.mesh, Heard()
    with pytest.raises(PermissionDenied, match="E_LIVE_GUARD"):
        await Runner.run_async(Flips(), world=promoted.world, gateway=gateway)
    assert not promoted.sent()
    await promoted.open_account()
    run = asyncio.create_task(
        Runner.run_async(Flips(), world=promoted.world, gateway=gateway, on_event=heard, allow_live=True)
    )
    try:
        await heard.next(run, is_fill)
        pid = mesh.kill("worldservice", signal.SIGSTOP)  # it answers nobody, and nobody starts another
        await heard.next(run, is_lapse)
        before = promoted.sent()
        await heard.next(run, is_bar)
        assert promoted.sent() == before, "sent though nobody vouches for the activation any more"
        os.kill(pid, signal.SIGCONT)
        await heard.next(run, is_fill)
        await promoted.drain()
        for _ in range(3):  # what was on its way has come
            await heard.next(run, is_bar)
        await eventually(is_flat(promoted), WAIT_S)
        session = await live_session(promoted)
        closing = datasessionservicepb.CloseDataSessionRequest(session_id=session)
        await promoted.client.data_sessions.CloseDataSession(closing)
        result = await run
    finally:
        await end(run)
    assert result.is_live
    assert result.session.session_id == session
    assert result.books_agree, (result.held, result.portfolio, result.replay.fills)
    assert result.held["BTC/USDT"] < LOT
    (bars,) = result.bars
    assert set((bars.open_ns[1:] - bars.open_ns[:-1]).tolist()) == {10**9}
    closes = [event.time_ns for event in heard.events if isinstance(event, BarDone)]
    assert closes == bars.close_ns.tolist()
    states = [order.status for order in promoted.exchange.orders.values() if order.account == "client"]
    assert set(states) <= {Status.FILLED, Status.CANCELED}
    assert result.evaluation is not None
    assert result.evaluation.run_id.startswith("live-")
    await compared(promoted, result)


async def compared(promoted: Promoted, result: SessionResult) -> None:
    """The run against the replay of its recording: what the exchange filled and charged is live's side, to the end."""
    document = POLICY + "campaign: {divergence: {min_pairs: 1}}\n"
    put = policyservicepb.PutPolicyRequest(world_id=promoted.world, document=document, make_default=True)
    await promoted.client.policies.PutPolicy(put)
    run = TradedRun(
        promoted.world, promoted.strategy_id, result.session.session_id, live=True, capital=result.replay.equity[0]
    )
    report = await create_report(promoted.live.gateway, Flips(), run)
    assert (report.execution_domain, report.account) == (commonpb.EXECUTION_DOMAIN_LIVE, "acc")
    assert report.figures.pair_count + report.figures.only_live_count >= 2
    told = {field.name: Decimal(value) for field, value in report.terms.ListFields()}
    assert told.pop("live_pnl") - told.pop("replay_pnl") == sum(told.values())
    assert not any("not over what the session was given" in reason for reason in report.reasons), report.reasons


def is_flat(promoted: Promoted) -> Callable[[], Awaitable[bool]]:
    """Whether less than a lot is left in the strategy's book, and at the exchange: fees are taken in coins."""
    asked = portfolioservicepb.GetPortfolioRequest(
        account="acc", world_id=promoted.world, strategy_id=promoted.strategy_id
    )

    async def read() -> bool:
        held = (await promoted.client.portfolios.GetPortfolio(asked)).portfolio.positions
        booked = sum((Decimal(one.quantity) for one in held), Decimal(0))
        return max(booked, promoted.exchange.accounts["client"].free("BTC") - 1) < LOT

    return read


async def live_session(promoted: Promoted) -> str:
    asked = activationservicepb.GetActivationRequest(world_id=promoted.world)
    sessions = (await promoted.client.activation.GetActivation(asked)).activation.sessions
    return next(one.session_id for one in sessions if one.execution_domain == commonpb.EXECUTION_DOMAIN_LIVE)
