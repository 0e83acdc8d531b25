"""Worlds whose campaigns lead strategies from their backtests over paper to accounts at the local exchange."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.broker.v1 import account_service_pb2 as accountservicepb
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.broker.v1 import portfolio_service_pb2 as portfolioservicepb
from qmtl.cli.local.supervisor import Mesh
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.config.home import user_token_path
from qmtl.core.clock import SystemClock
from qmtl.core.roles import Role
from qmtl.data.v1 import coverage_service_pb2 as coverageservicepb
from qmtl.data.v1 import coverage_service_pb2_grpc as coveragerpc
from qmtl.data.v1 import data_service_pb2 as dataservicepb
from qmtl.rpc.auth.tokens import file_token
from qmtl.rpc.chunks import Chunked
from qmtl.rpc.client.channel import MeshChannel, connect
from qmtl.rpc.client.streams import scoped
from qmtl.sdk import Runner, Strategy
from qmtl.sdk.mesh.client import Client, open_client
from qmtl.sdk.mesh.retrying import RetryingClient
from qmtl.sdk.mesh.session.result import SessionResult
from qmtl.sdk.mesh.session.terms import SessionTerms
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from qmtl.world.v1 import binding_pb2 as bindingpb
from qmtl.world.v1 import campaign_pb2 as campaignpb
from qmtl.world.v1 import campaign_service_pb2 as campaignservicepb
from qmtl.world.v1 import evaluation_pb2 as evaluationpb
from qmtl.world.v1 import evaluation_service_pb2 as evaluationservicepb
from qmtl.world.v1 import policy_service_pb2 as policyservicepb
from qmtl.world.v1 import world_service_pb2 as worldservicepb
from tests.exchange.binance.client import ETH, KEYS, opened
from tests.exchange.binance.spot import BinanceSpot
from tests.exchange.core.exchange import Exchange, now_ms
from tests.exchange.market.client import market
from tests.exchange.server import serving
from tests.mesh.live.live_world import ETHER, MEANT, PRESET, LiveMesh, followed, running
from tests.mesh.live.test_live import VENUE
from tests.mesh.trading_mesh import stamp
from tests.support.shared.meshes import laid_plan
from tests.support.waiting import eventually

WAIT_S = 90.0
DAYS = 10
HOUR_MS = 3_600_000
LOT = Decimal("0.0001")
ETHER_SETTINGS = '[brokerage.instruments."ETH/USDT"]\nbase = "ETH"\nquote = "USDT"\ntick = "0.01"\nlot = "0.0001"\n'
POLICY = """
data_currency: {{max_lag: 2h}}
account: {{starting_cash: 1000}}
selection: {{gates: {{and: ["n_trades >= 0"]}}, score: "double(n_trades)"}}
gating_policy: {{execution_model: {{taker_fee_bps: 10, slippage_bps: {slippage}, participation: 1.0}}}}
campaign:
  backtest: {{window: 9d, min_trades: 5, deflated_sharpe: 0.0}}
  paper: {{window: 10s, min_trades: 1, min_coverage: 0.0}}
  live: {{canary: [{{share: 0.5, days: 0}}]}}
governance: {{live_promotion: {{mode: manual_approval}}}}
position_policy: {{on_demote: drain}}
"""
T = TypeVar("T")


@dataclass
class Story:
    """A mesh that follows an exchange and has accounts there, and who kills its processes, in the order of a seed."""

    live: LiveMesh
    client: Client
    exchange: Exchange
    channel: MeshChannel
    retrying: RetryingClient
    candidates: list[Candidate] = field(default_factory=list)
    random: random.Random = field(default_factory=lambda: random.Random(15))

    async def ask(self, call: Callable[[], Awaitable[T]]) -> T:
        """What an idempotent call answers, once the processes that it needs have started again."""
        return await self.retrying.separate().ask(call, "story")

    async def killed(self, *names: str) -> None:
        """Kill one of these processes, and wait until the next one answers."""
        name, mesh = self.random.choice(names), self.live.mesh
        pid = mesh.kill(name)
        await asyncio.to_thread(mesh.wait_ready, name, other_than=pid, timeout_s=WAIT_S)


@dataclass(frozen=True)
class VenueAccount:
    """An account at a venue of the settings, which several worlds trade."""

    story: Story
    name: str
    venue: str
    worlds: tuple[str, ...]

    @property
    def candidates(self) -> list[Candidate]:
        return [one for one in self.story.candidates if one.world in self.worlds]

    async def open(self) -> None:
        """At the exchange, once it was compared with what the exchange has."""
        asked = accountservicepb.OpenVenueAccountRequest(
            account=self.name, venue=self.venue, world_ids=self.worlds, base_currency="USDT"
        )
        await self.story.ask(lambda: self.story.client.accounts.OpenVenueAccount(asked))
        known = accountservicepb.GetAccountRequest(account=self.name)

        async def is_compared() -> bool:
            found = (await self.story.ask(lambda: self.story.client.accounts.GetAccount(known))).account
            return found.trading_state == accountpb.TRADING_STATE_ACTIVE

        await eventually(is_compared, WAIT_S)

    async def is_settled(self) -> bool:
        """Whether its books have all that the exchange does, beside the bitcoin that was there before."""
        await asyncio.sleep(0.2)
        name = "client" if self.venue == "main" else self.venue
        held = [await one.held() for one in self.candidates]
        return sum(held) == self.story.exchange.accounts[name].free("BTC") - 1


async def make_world(story: Story, world: str, slippage_bps: int) -> None:
    """One that may trade live."""
    presets = worldservicepb.CreateWorldRequest(world_id=world, data_presets=[PRESET, ETHER])
    await story.client.worlds.CreateWorld(presets)
    await put_policy(story, world, slippage_bps)
    allowed = worldservicepb.UpdateWorldRequest(world_id=world, allow_live=True, update_mask={"paths": ["allow_live"]})
    await story.client.worlds.UpdateWorld(allowed, metadata=MEANT)


async def put_policy(story: Story, world: str, slippage_bps: int, more: str = "") -> None:
    """Make a policy the world's default; `more`: sections beside those of a campaign."""
    document = POLICY.format(slippage=slippage_bps) + more
    put = policyservicepb.PutPolicyRequest(world_id=world, document=document, make_default=True)
    await story.ask(lambda: story.client.policies.PutPolicy(put))


@dataclass
class Candidate:
    """A strategy in a world, and the account that the world trades."""

    story: Story
    world: str
    make: Callable[[], Strategy]
    account: VenueAccount
    strategy_id: str = ""

    @property
    def promotion(self) -> str:
        return f"promotion-{self.strategy_id}"

    async def enter(self) -> None:
        """Bind the strategy to its world."""
        known = await Runner.submit_async(self.make(), world=self.world, gateway=self.story.live.gateway)
        self.strategy_id = known.strategy_id

    async def backtest(self, fingerprint: str, start: datetime, end: datetime) -> None:
        """Twenty orders in ether over days of hours: a Sharpe ratio needs days, which the seconds do not have."""
        listed = evaluationpb.OrderList(
            world_id=self.world,
            strategy_id=self.strategy_id,
            dataset_fingerprints=[fingerprint],
            base_currency="USDT",
        )
        listed.range.CopyFrom(commonpb.TimeRange(start=stamp(start), end=stamp(end)))
        for number in range(20):
            order = listed.orders.add(
                account="replay",
                world_id=self.world,
                strategy_id=self.strategy_id,
                client_order_id=f"o{number}",
                symbol="ETH/USDT",
                side=orderpb.ORDER_SIDE_SELL if number % 2 else orderpb.ORDER_SIDE_BUY,
                type=orderpb.ORDER_TYPE_MARKET,
                quantity="1",
                time_in_force=orderpb.TIME_IN_FORCE_GTC,
            )
            order.decided_at.CopyFrom(stamp(start + timedelta(hours=11 * (number + 1))))
        client, ask = self.story.client, self.story.ask
        chunks = Chunked(evaluationservicepb.PutOrderListRequest, listed, [self.world])
        put = await ask(lambda: client.evaluation.PutOrderList(chunks.again()))
        request = evaluationservicepb.EvaluateRequest(
            world_id=self.world,
            strategy_id=self.strategy_id,
            run_id="backtest",
            order_list=put.order_list,
            stage=bindingpb.STAGE_BACKTEST,
        )
        run = (await ask(lambda: client.evaluation.Evaluate(request))).run
        while run.evidence_state == evaluationpb.EVIDENCE_STATE_PENDING:  # asked again it waits again for the replay
            run = (await ask(lambda: client.evaluation.Evaluate(request))).run
        assert run.evidence_state == evaluationpb.EVIDENCE_STATE_REPLAYED, run

    async def trade_on_paper(self, seconds: int) -> SessionResult:
        """Raise it to paper, and run it there; the world computes what that came to from the account's books."""
        change = activationpb.ActivationChange(
            strategy_id=self.strategy_id,
            side=commonpb.SIDE_LONG,
            active=True,
            weight="1.0",
            stage=bindingpb.STAGE_PAPER,
        )
        changed = activationservicepb.SetActivationRequest(world_id=self.world, changes=[change])
        activation = await self.story.ask(lambda: self.story.client.activation.SetActivation(changed, metadata=MEANT))
        start = activation.activation.sessions[0].start.ToDatetime(UTC)
        until = max(start, datetime.now(UTC)) + timedelta(seconds=seconds)
        terms = SessionTerms(until=until)
        return await Runner.run_async(self.make(), world=self.world, gateway=self.story.live.gateway, terms=terms)

    def named(self) -> campaignservicepb.GetCampaignRequest:
        return campaignservicepb.GetCampaignRequest(world_id=self.world, strategy_id=self.strategy_id)

    async def told(self) -> campaignpb.Campaign:
        """Its campaign as it stands."""
        return (await self.story.ask(lambda: self.story.client.campaigns.GetCampaign(self.named()))).campaign

    async def blocks(self) -> set[str]:
        """What bars it from going live, or on to the next canary step."""
        return {block.reason for block in (await self.told()).blocks}

    async def plan_blocks(self) -> set[str]:
        """What would bar its next promotion."""
        asked = campaignservicepb.PlanPromotionRequest(world_id=self.world, strategy_id=self.strategy_id)
        plan = (await self.story.ask(lambda: self.story.client.campaigns.PlanPromotion(asked))).plan
        return {block.reason for block in plan.blocks}

    async def reaches(self, phase: campaignpb.CampaignPhase) -> None:
        async def there() -> bool:
            await asyncio.sleep(0.2)  # a round of the keeper is a second
            return (await self.told()).phase == phase

        await eventually(there, WAIT_S)

    async def drains(self) -> bool:
        """Whether it may only reduce."""
        asked = activationservicepb.GetActivationRequest(world_id=self.world)
        told = await self.story.ask(lambda: self.story.client.activation.GetActivation(asked))
        return all(entry.drain for entry in told.activation.entries if entry.strategy_id == self.strategy_id)

    async def held(self) -> Decimal:
        """Bitcoin in its book at the account."""
        asked = portfolioservicepb.GetPortfolioRequest(
            account=self.account.name, world_id=self.world, strategy_id=self.strategy_id
        )
        found = (await self.story.ask(lambda: self.story.client.portfolios.GetPortfolio(asked))).portfolio
        return sum((Decimal(one.quantity) for one in found.positions), Decimal(0))

    async def is_flat(self) -> bool:
        """Whether less than a lot is left in its book: fees are taken in coins."""
        await asyncio.sleep(0.2)
        return await self.held() < LOT

    async def dossier(self, at: datetime, *, verify: bool) -> list[campaignservicepb.GetDossierResponse]:
        """Every part of its dossier of a time."""
        asked = campaignservicepb.GetDossierRequest(
            world_id=self.world, strategy_id=self.strategy_id, at=stamp(at), verify=verify
        )

        async def read() -> list[campaignservicepb.GetDossierResponse]:
            with scoped(self.story.client.campaigns.GetDossier(asked)) as parts:
                return [part async for part in parts]

        return await self.story.ask(read)


async def sealed_days(story: Story) -> tuple[str, datetime, datetime]:
    """Days of hours of ether, sealed: their fingerprint, where they start and end. A minute of seconds beside."""
    now = datetime.now(UTC)
    end = now.replace(minute=0, second=0, microsecond=0)
    start = end - timedelta(days=DAYS)
    coverage = coveragerpc.CoverageServiceStub(story.channel)
    for name, since, until in ((ETHER, start, end), (PRESET, now - timedelta(seconds=60), now)):
        asked = coverageservicepb.EnsureCoverageRequest(dataset=name)
        asked.range.CopyFrom(commonpb.TimeRange(start=stamp(since), end=stamp(until)))
        done = [one async for one in coverage.EnsureCoverage(asked)][-1]
        assert (done.done, list(done.failures)) == (True, [])
    with scoped(story.client.data.Fetch(dataservicepb.FetchRequest(dataset=ETHER))) as parts:
        prints = [part.metadata.artifact_fingerprint async for part in parts if part.HasField("metadata")]
    return prints[-1], start, end


@asynccontextmanager
async def telling(folder: Path) -> AsyncIterator[Story]:
    """A mesh on seconds of bitcoin and hours of ether, with the keys of two accounts at the exchange."""
    home, exchange = folder / "home", opened()
    exchange.open_account("other", "other key", "other secret", USDT="10000", BTC="1")
    (home / "credentials").mkdir(mode=0o700, parents=True)
    for name, key, secret in (("main", KEYS.api_key, KEYS.secret), ("other", "other key", "other secret")):
        keys = home / "credentials" / f"binance-{name}.toml"
        keys.touch(mode=0o600)
        keys.write_text(f'api_key = "{key}"\nsecret = "{secret}"\n')
    first_ms = now_ms() // HOUR_MS * HOUR_MS - (DAYS + 2) * 24 * HOUR_MS
    async with (
        market(first_ms=first_ms, interval_ms=1_000, others=[(ETH, HOUR_MS)]) as prices,
        serving(exchange, BinanceSpot(exchange)) as address,
    ):
        prices.tape.first_ms = now_ms() // 1_000 * 1_000 - 120_000
        config = folder / "qmtl.toml"
        feeds = ', eth = {symbol = "ETH/USDT", interval = "1h"}'
        main = VENUE.format(address=address)
        other = main.replace("venues.main", "venues.other") + 'credentials = "other"\n'
        config.write_text(followed(prices.address, more=feeds) + ETHER_SETTINGS + main + other)
        async with running(Mesh(laid_plan(home, config))) as mesh:
            live, token = LiveMesh(mesh, prices, config), file_token(user_token_path(home, Role.OWNER))
            async with (
                open_client(replace(live.gateway, role=Role.OWNER)) as client,
                connect(mesh.address("gateway"), user_token=token) as channel,
            ):
                retrying = RetryingClient.open(client, WAIT_S, SystemClock())
                yield Story(live, client, exchange, channel, retrying)
