"""Forty strategies in six worlds on two paper accounts: shares proposed and set, their change planned and traded."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.broker.v1 import account_service_pb2 as accountservicepb
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.broker.v1 import order_service_pb2 as orderservicepb
from qmtl.broker.v1 import portfolio_service_pb2 as portfolioservicepb
from qmtl.cli.local.supervisor import Mesh
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.data.v1 import data_session_service_pb2 as datasessionservicepb
from qmtl.gateway.v1 import trading_service_pb2 as tradingservicepb
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from qmtl.world.v1 import binding_pb2 as bindingpb
from qmtl.world.v1 import binding_service_pb2 as bindingservicepb
from qmtl.world.v1 import evaluation_pb2 as evaluationpb
from qmtl.world.v1 import evaluation_service_pb2 as evaluationservicepb
from qmtl.world.v1 import policy_service_pb2 as policyservicepb
from tests.cli.conftest import CliMesh, Invoke
from tests.mesh.gateway_client import (
    GatewayClient,
    in_chunks,
    new_world,
    open_gateway_client,
    source_node,
    submission,
)
from tests.mesh.trading_mesh import NOW, POLICY, PRESET, stamp
from tests.support.shared.meshes import laid_plan
from tests.support.waiting import eventually

# short doubles: tests/gateway/rebalancing, tests/worldservice/allocation
pytestmark = [pytest.mark.soak, pytest.mark.timeout(600)]
COUNTS = ((7, 7, 6), (7, 7, 6))  # strategies by world, by account
CASH = Decimal(100_000_000)
FILLED, CLOSED = orderpb.ORDER_STATE_FILLED, (orderpb.ORDER_STATE_FILLED, orderpb.ORDER_STATE_CANCELED)
Owner = tuple[str, str]


@dataclass
class Desk:
    """A paper account, and the strategies of the worlds that trade it."""

    client: GatewayClient
    cli: CliMesh
    account: str
    folder: Path
    session: str = ""
    strategies: dict[str, list[str]] = field(default_factory=dict)

    @property
    def owners(self) -> list[Owner]:
        return [(world, one) for world, listed in self.strategies.items() for one in listed]

    async def ask(self, *args: str | Path) -> Any:
        return await asyncio.to_thread(self.cli.json, "alloc", *args)

    async def open(self, counts: Sequence[int], numbers: itertools.count[int]) -> None:
        """Worlds whose strategies may go long and short on paper, and the account on the bars of the first of them."""
        sessions = []
        for count in counts:
            world = await new_world(self.client)
            put = policyservicepb.PutPolicyRequest(world_id=world, document=POLICY, make_default=True)
            await self.client.policies.PutPolicy(put)
            self.strategies[world] = [await self.submit(world, next(numbers)) for _ in range(count)]
            sessions.append(await self.activate(world))
        (first, *others), self.session = self.strategies, sessions[0]
        await self.client.data_sessions.OpenDataSession(
            datasessionservicepb.OpenDataSessionRequest(
                session_id=self.session, world_id=first, preset=PRESET, start_time=stamp(NOW), bars_per_second=10.0
            )
        )
        await self.client.accounts.OpenPaperAccount(
            accountservicepb.OpenPaperAccountRequest(
                account=self.account,
                world_id=first,
                data_preset=PRESET,
                starting_cash=str(CASH),
                data_session_id=self.session,
                type=accountpb.ACCOUNT_TYPE_MARGIN,
                leverage=2,
            )
        )
        for world in others:
            allowed = accountservicepb.AllowWorldRequest(account=self.account, world_id=world)
            await self.client.accounts.AllowWorld(allowed)

    async def submit(self, world: str, number: int) -> str:
        reply = await self.client.strategies.SubmitStrategy(in_chunks(submission(world, [source_node(number=number)])))
        return reply.strategy.strategy_id

    async def activate(self, world: str) -> str:
        """Evidence of each strategy, and its entry on both sides; the session that opens."""
        asked = bindingservicepb.ListBindingsRequest(world_id=world)

        async def are_bound() -> bool:
            return len((await self.client.bindings.ListBindings(asked)).bindings) == len(self.strategies[world])

        await eventually(are_bound, 60.0)
        for name in self.strategies[world]:
            await self.client.evaluation.Evaluate(
                evaluationservicepb.EvaluateRequest(
                    world_id=world,
                    strategy_id=name,
                    run_id=f"run-{name}",
                    stage=bindingpb.STAGE_BACKTEST,
                    metrics=[evaluationpb.Metric(name="sharpe", value=1.0)],
                    dataset_fingerprint="blake3:test",
                    coverage_ratio=1.0,
                    data_start=stamp(NOW - timedelta(days=60)),
                    data_end=stamp(NOW),
                )
            )
        changes = [
            activationpb.ActivationChange(
                strategy_id=name, side=side, active=True, weight="1.0", stage=bindingpb.STAGE_PAPER
            )
            for name in self.strategies[world]
            for side in (commonpb.SIDE_LONG, commonpb.SIDE_SHORT)
        ]
        changed = activationservicepb.SetActivationRequest(world_id=world, changes=changes)
        activation = (await self.client.activation.SetActivation(changed)).activation
        return activation.sessions[0].session_id

    async def trade(self, owner: Owner, name: str, quantity: Decimal) -> orderpb.OrderStatus:
        """An order at the market, once it is closed."""
        world, strategy = owner
        side = orderpb.ORDER_SIDE_BUY if quantity > 0 else orderpb.ORDER_SIDE_SELL
        order = orderpb.Order(
            account=self.account,
            world_id=world,
            strategy_id=strategy,
            client_order_id=name,
            symbol="BTC-USD",
            side=side,
            type=orderpb.ORDER_TYPE_MARKET,
            quantity=str(abs(quantity)),
            time_in_force=orderpb.TIME_IN_FORCE_GTC,
        )
        found = (await self.client.trading.SubmitOrder(tradingservicepb.SubmitOrderRequest(order=order))).status
        if found.state == orderpb.ORDER_STATE_DENIED:
            return found
        key = orderpb.OrderKey(account=self.account, world_id=world, strategy_id=strategy, client_order_id=name)
        seen = [found]

        async def is_closed() -> bool:
            seen[:] = [(await self.client.orders.GetOrder(orderservicepb.GetOrderRequest(key=key))).status]
            return seen[0].state in CLOSED

        await eventually(is_closed, 60.0)
        return seen[0]

    async def priced(self) -> None:
        """Wait until the account knows a price: before it every order is denied."""
        numbers = itertools.count()

        async def passes() -> bool:
            found = await self.trade(self.owners[0], f"priced-{next(numbers)}", Decimal("0.01"))
            return found.denial != orderpb.DENIAL_PRICE_STALE

        await eventually(passes, 60.0)

    async def held(self) -> dict[Owner, Decimal]:
        """What each strategy holds, as ListPositions says it, a strategy that holds nothing too."""
        asked = portfolioservicepb.ListPositionsRequest(account=self.account)
        asked.page.page_size = 1000
        found = (await self.client.portfolios.ListPositions(asked)).positions
        return dict.fromkeys(self.owners, Decimal(0)) | {
            (one.world_id, one.strategy_id): Decimal(one.quantity) for one in found
        }

    async def set(self, revision: int, shares: dict[Owner, Decimal]) -> None:
        """Shares of strategies; a world has what its strategies have together."""
        worlds: dict[str, Any] = {}
        for (world, name), share in shares.items():
            worlds.setdefault(world, {"share": Decimal(0), "strategies": {}})
            worlds[world]["share"] += share
            worlds[world]["strategies"][name] = str(share)
        for told in worlds.values():
            told["share"] = str(told["share"])
        file = self.folder / f"{self.account}-{revision}.yaml"
        file.write_text(yaml.safe_dump({"worlds": worlds, "reason": "forty strategies"}), encoding="utf-8")
        await self.ask("set", self.account, file, "--run", f"set-{revision}", "--expect", str(revision))

    async def proposed(self, seed: int) -> dict[Owner, Decimal]:
        """By the risk of seeded returns, none above a tenth."""
        random = np.random.Generator(np.random.PCG64(seed))
        returns = random.normal(0, random.uniform(0.005, 0.03, len(self.owners)), (250, len(self.owners)))
        returns += random.normal(0, 0.005, (250, 1))
        rows = np.cov(returns.T)
        lower = [value for at, row in enumerate(rows.tolist()) for value in row[: at + 1]]
        file = self.folder / f"{self.account}.json"
        file.write_text(json.dumps({"strategies": self.owners, "lower": lower}), encoding="utf-8")
        told = await self.ask("propose", self.account, "--method", "hrp", "--cap", "0.1", "--covariance", file)
        shares = {(row["world_id"], row["strategy_id"]): Decimal(row["share"]) for row in told["strategies"]}
        assert set(shares) == set(self.owners)
        assert max(shares.values()) <= Decimal("0.1")
        return shares


@pytest.fixture
async def desks(tmp_path: Path) -> AsyncIterator[list[Desk]]:
    async with AsyncExitStack() as stack:
        mesh = await stack.enter_async_context(Mesh(laid_plan(tmp_path / "home")))
        client = await stack.enter_async_context(open_gateway_client(mesh.address("gateway"), mesh.home))
        cli = CliMesh(mesh, Invoke(tmp_path / "none.toml"), "", "", "")
        yield [Desk(client, cli, name, tmp_path) for name in ("first", "second")]


async def test_shares_of_forty_strategies_are_traded_and_every_number_is_one_book(desks: list[Desk]) -> None:
    numbers = itertools.count()
    for desk, counts in zip(desks, COUNTS, strict=True):
        await desk.open(counts, numbers)
        await desk.priced()
        await desk.set(0, dict.fromkeys(desk.owners, Decimal("0.045")))
        sizes = [Decimal(4 + at % 5) / 4 * (-1 if at % 3 == 2 else 1) for at in range(len(desk.owners))]
        bought = await asyncio.gather(
            *(desk.trade(owner, "first", size) for owner, size in zip(desk.owners, sizes, strict=True))
        )
        assert Counter(one.state for one in bought) == {FILLED: len(sizes)}, bought
        await desk.set(1, await desk.proposed(seed=len(desk.account)))
    for desk, more in zip(desks, ([], ["--netted"]), strict=True):
        await rebalanced(desk, more)
        await is_one_book(desk)


async def rebalanced(desk: Desk, more: Sequence[str]) -> None:
    """The change of its shares, planned, recorded and executed: positions move by what their legs filled."""
    before, file = await desk.held(), desk.folder / f"{desk.account}-plan.json"
    change = ("--from", "1", "--to", "2", "--slippage", "1000", *more)
    plan = await desk.ask("plan", desk.account, *change, "--save", file)
    legs = [(leg["world_id"], leg["strategy_id"]) for leg in plan["legs"]]
    assert len(legs) == len(before)
    assert [Decimal(leg["quantity"]) for leg in plan["legs"]] == [before[owner] for owner in legs]
    assert await desk.held() == before, "a plan trades nothing"
    await desk.ask("apply", file, "--run", "moved", "--reason", "the proposal")
    args = ("alloc", "execute", desk.account, "moved", "--json", "--home", desk.cli.mesh.home)
    done = await asyncio.to_thread(desk.cli.invoke, *args)
    run = json.loads(done.stdout)
    filled = dict(zip(legs, (Decimal(leg["filled"]) for leg in run["progress"]), strict=True))
    assert await desk.held() == {owner: quantity + filled[owner] for owner, quantity in before.items()}
    left = [
        told["reason"]
        for leg, told in zip(plan["legs"], run["progress"], strict=True)
        if Decimal(told["filled"]) != Decimal(leg["rounded"])
    ]
    assert all(reason.startswith("NOT_FILLED") for reason in left), left  # three bars in which nothing traded
    ended = ("REBALANCE_STATE_PARTIAL", 1) if left else ("REBALANCE_STATE_COMPLETED", 0)
    assert (run["state"], done.returncode) == ended, run


async def is_one_book(desk: Desk) -> None:
    """What is shown of shares is what positions are worth; equity is what was paid in and won less fees."""
    await desk.client.data_sessions.CloseDataSession(
        datasessionservicepb.CloseDataSessionRequest(session_id=desk.session)
    )  # prices stand
    asked = portfolioservicepb.GetPortfolioRequest(account=desk.account)
    book = (await desk.client.portfolios.GetPortfolio(asked)).portfolio
    worth = {(one.world_id, one.strategy_id): Decimal(one.market_value) for one in book.positions}
    shown = (await desk.ask("show", desk.account))["capital"]
    gross = {(row["world_id"], row["strategy_id"]): Decimal(row["gross"]) for row in shown}
    for world, listed in desk.strategies.items():
        for name in listed:
            assert gross.pop((world, name)) == abs(worth[world, name])
        assert gross.pop((world, "")) == sum(abs(worth[world, name]) for name in listed)
    assert not gross
    cash = sum((Decimal(one.settled) + Decimal(one.unsettled) for one in book.cash), Decimal(0))
    assert Decimal(book.equity) == cash + sum(worth.values())
    won = Decimal(book.realized_pnl) + Decimal(book.unrealized_pnl)
    assert Decimal(book.equity) == CASH + won - Decimal(book.fees)
    netted = portfolioservicepb.ListPositionsRequest(account=desk.account, netted=True)
    (whole,) = (await desk.client.portfolios.ListPositions(netted)).positions
    assert Decimal(whole.quantity) == sum((await desk.held()).values())
