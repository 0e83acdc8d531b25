"""ReplayOrders through the real service: the backtest that made the orders, and nothing of what its client claims."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal as D
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from google.protobuf.duration_pb2 import Duration

from brokerage.domain.models.profiles.generic import at_least, margin, spot
from brokerage.domain.orders.order import Order, Owner, Side
from brokerage.orders.wire import order_to_proto
from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.broker.v1 import replay_pb2 as replaypb
from qmtl.broker.v1 import replay_service_pb2 as replayservicepb
from qmtl.core.errors import Exhausted, InvalidRequest, NotFound, NotReady, PermissionDenied
from qmtl.data.v1 import bars_pb2 as barspb
from qmtl.data.v1 import datasets_pb2 as datasetspb
from qmtl.rpc.chunks import Chunked
from qmtl.sdk import Bars, Bracket, Strategy, StreamInput, signals
from qmtl.sdk import indicators as ta
from qmtl.sdk.execution.backtest import replay
from qmtl.sdk.execution.run_record import RunResult
from qmtl.sdk.execution.simulated import order_list
from qmtl.sdk.execution.terms import AccountTerms
from qmtl.sdk.strategy.assembly import assemble
from qmtl.wire.instants import ns_from_proto, ns_to_proto
from tests.brokerage.feed import Sealed
from tests.brokerage.mesh import Client, Mesh, running_mesh
from tests.sdk.market import walk

OWNER = Owner("acc", "w1", "s1")
PRINTS = {"BTC-USD": "sha256:btc", "ETH-USD": "sha256:eth"}


class Turns(Strategy):
    """Turns round where two averages cross, in each symbol."""

    def __init__(self, symbols: Sequence[str], short: float, bracket: Bracket | None) -> None:
        super().__init__()
        self._symbols, self._short, self._bracket = symbols, short, bracket

    def setup(self) -> None:
        for symbol in self._symbols:
            price = StreamInput(symbol)
            direction = signals.cross(ta.sma(price, 3), ta.sma(price, 8))
            share = 0.9 / len(self._symbols)
            target = signals.position_target(direction, long=share, short=self._short)
            self.trade(target, price, bracket=self._bracket)


@pytest.fixture
async def mesh(tmp_path: Path, nats_url: str) -> AsyncIterator[Mesh]:
    async with running_mesh(tmp_path, nats_url) as made:
        await made.start()
        yield made


def seal(mesh: Mesh, bars: Bars, parts: int = 3) -> None:
    """Let the mesh's feed have bars as a sealed artifact, in several parts."""
    columns = {"open_time": pa.array(bars.open_ns, type=pa.timestamp("ns", "UTC"))}
    for index, name in enumerate(("open", "high", "low", "close", "volume")):
        columns[name] = pa.array(bars.values[:, index])
    columns["flags"] = pa.array(np.zeros(len(bars), dtype=np.uint8))
    table, size = pa.table(columns), len(bars) // parts + 1
    preset = datasetspb.Preset(
        name=f"sealed-{bars.symbol}",
        dataset=f"ohlcv:test:{bars.symbol}:{bars.interval_s}",
        symbol=bars.symbol,
        interval=Duration(seconds=bars.interval_s),
        volume_unit=barspb.VOLUME_UNIT_BASE,
    )
    mesh.feed.sealed[PRINTS[bars.symbol]] = Sealed(preset, [table.slice(at, size) for at in range(0, len(bars), size)])


def asked(result: RunResult, symbols: Sequence[str], **model: str | int) -> replaypb.OrderReplay:
    """The request that a run's own order list makes."""
    orders = [order_to_proto(order) for order in order_list(OWNER, result.orders)]
    return replaypb.OrderReplay(
        world_id="w1",
        strategy_id="s1",
        orders=orders,
        cancels=[
            replaypb.ReplayedCancel(
                client_order_id=one.client_order_id,
                decided_at=ns_to_proto(one.time_ns),
                orders_before=one.orders_before,
            )
            for one in result.cancels
        ],
        dataset_fingerprints=[PRINTS[symbol] for symbol in symbols],
        equity_after=ns_to_proto(int(result.time_ns[0]) - 1),
        account_model=accountpb.AccountModel(**model),  # type: ignore[arg-type]  # by name
    )


async def ask(
    client: Client, message: replaypb.OrderReplay, world: str = "w1", patience_s: float | None = None
) -> list[replayservicepb.ReplayOrdersResponse]:
    chunks = Chunked(replayservicepb.ReplayOrdersRequest, message, [world])
    told = tuple(chunks.stated.metadata.items())
    return [part async for part in client.replays.ReplayOrders(chunks, metadata=told, timeout=patience_s)]


@pytest.mark.parametrize(
    ("symbols", "kind", "leverage", "short", "bracket"),
    [
        (("BTC-USD",), "CASH", 0, 0.0, None),
        (("BTC-USD", "ETH-USD"), "MARGIN", 4, -1.4, None),
        (("BTC-USD",), "MARGIN", 2, -0.9, Bracket(stop="0.003", target="0.006")),
    ],
)
async def test_a_runs_order_list_is_the_run(
    mesh: Mesh, symbols: Sequence[str], kind: str, leverage: int, short: float, bracket: Bracket | None
) -> None:
    bars = [walk(900, seed=number + 3, symbol=symbol) for number, symbol in enumerate(symbols)]
    for one in bars:
        seal(mesh, one)
    profile = margin(leverage, "0.002") if kind == "MARGIN" else spot("0.002")
    result = replay(assemble(Turns(symbols, short, bracket)), bars, AccountTerms(cash=D(50_000), profile=profile))
    parts = await ask(
        mesh.client(service="worldservice"),
        asked(
            result,
            symbols,
            type=f"ACCOUNT_TYPE_{kind}",
            leverage=leverage,
            starting_cash="50000",
            fee_rate="0.002",
        ),
    )
    fills = [fill for part in parts for fill in part.fills.fills]
    assert [(one.symbol, D(one.quantity), D(one.price), D(one.fee)) for one in fills] == [
        (one.symbol, abs(one.quantity), one.price, one.fee) for one in result.fills
    ]
    tables = [pa.ipc.open_stream(part.equity_arrow).read_all() for part in parts if part.equity_arrow]
    closes = [at for table in tables for at in table.column("close_time").cast(pa.int64()).to_pylist()]
    assert closes == result.time_ns.tolist()
    assert tuple(value for table in tables for value in table.column("equity").to_pylist()) == result.equity
    trades = [trade for part in parts for trade in part.trades.trades]
    assert [float(trade.profit) for trade in trades] == [trade.profit for trade in result.trades]
    denied = [(one.client_order_id, one.message) for part in parts for one in part.denials.denials]
    assert denied == [(one.client_order_id, one.message) for one in result.denials if one.rule != "LEG_TIMEOUT"]
    summary = parts[-1].summary
    assert D(summary.equity) == result.equity[-1]
    assert (summary.fill_count, summary.equity_count) == (len(result.fills), len(result.equity))
    assert summary.margin_call_count == len(result.margin_calls)
    assert len(result.fills) > 40
    assert summary.invested_count == round(result.metrics["exposure"] * len(result.equity))
    assert [one.symbol for one in summary.instruments] == list(symbols)
    first = summary.instruments[0]
    assert (first.data_preset, first.multiplier, first.calendar) == (f"sealed-{symbols[0]}", "1", "")
    assert ns_from_proto(first.first_open, "first_open") == int(bars[0].open_ns[0])
    assert ns_from_proto(first.last_close, "last_close") == int(bars[0].close_ns[-1])
    rates = summary.terms.maker_fee_rate, summary.terms.taker_fee_rate, summary.terms.slippage_rate
    assert (*rates, summary.terms.participation) == ("0.002", "0.002", "0", "0.1")


async def test_a_world_that_asks_for_costs_has_them(mesh: Mesh) -> None:
    bars = walk(300, seed=3)
    seal(mesh, bars)
    profile = at_least(spot(), "", "0.003", "0.0005", "0.02")
    terms = AccountTerms(profile=profile)
    result = replay(assemble(Turns(("BTC-USD",), 0.0, None)), bars, terms)
    least = {"taker_fee_rate_min": "0.003", "slippage_rate_min": "0.0005", "participation_max": "0.02"}
    parts = await ask(mesh.client(service="worldservice"), asked(result, ["BTC-USD"], **least))
    assert D(parts[-1].summary.equity) == result.equity[-1]
    said = parts[-1].summary.terms
    rates = said.maker_fee_rate, said.taker_fee_rate, said.slippage_rate, said.participation
    assert rates == ("0.001", "0.003", "0.0005", "0.02")
    with pytest.raises(InvalidRequest, match="E_FIELD: account_model"):
        await ask(mesh.client(service="worldservice"), asked(result, ["BTC-USD"], profile="coinbase_spot", **least))
    with pytest.raises(InvalidRequest, match="E_FIELD: participation_max"):
        await ask(mesh.client(service="worldservice"), asked(result, ["BTC-USD"], participation_max="0"))
    with pytest.raises(InvalidRequest, match="E_FIELD: slippage_rate_min"):
        await ask(mesh.client(service="worldservice"), asked(result, ["BTC-USD"], slippage_rate_min="1.1"))


async def test_what_is_no_list_is_refused_by_field(mesh: Mesh) -> None:
    seal(mesh, walk(50))
    client = mesh.client(service="worldservice")
    order = order_to_proto(Order(OWNER, "one", "BTC-USD", Side.BUY, D(1), decided_ns=10**18))

    def message(**changes: object) -> replaypb.OrderReplay:
        made = replaypb.OrderReplay(
            world_id="w1", strategy_id="s1", orders=[order], dataset_fingerprints=[PRINTS["BTC-USD"]]
        )
        made.MergeFrom(replaypb.OrderReplay(**changes))  # type: ignore[arg-type]  # by name
        return made

    twice = message(orders=[order])
    with pytest.raises(InvalidRequest, match=r"E_FIELD: orders\[1\].client_order_id"):
        await ask(client, twice)
    other = order_to_proto(Order(Owner("acc", "w2", "s1"), "two", "BTC-USD", Side.BUY, D(1), decided_ns=10**18))
    with pytest.raises(InvalidRequest, match=r"E_FIELD: orders\[1\]"):
        await ask(client, message(orders=[other]))
    early = order_to_proto(Order(OWNER, "two", "BTC-USD", Side.BUY, D(1), decided_ns=10**17))
    with pytest.raises(InvalidRequest, match=r"E_FIELD: orders\[1\].decided_at"):
        await ask(client, message(orders=[early]))
    cancel = replaypb.ReplayedCancel(client_order_id="none", decided_at=ns_to_proto(2 * 10**18))
    with pytest.raises(InvalidRequest, match=r"E_FIELD: cancels\[0\].client_order_id"):
        await ask(client, message(cancels=[cancel]))
    cancel = replaypb.ReplayedCancel(client_order_id="one", decided_at=ns_to_proto(10**18))
    with pytest.raises(InvalidRequest, match=r"E_FIELD: cancels\[0\].client_order_id is one"):
        await ask(client, message(cancels=[cancel]))
    for place, field in ((0, "client_order_id is one"), (2, "orders_before is 2, want 0 to 1")):
        cancel.orders_before = place
        with pytest.raises(InvalidRequest, match=rf"E_FIELD: cancels\[0\].{field}"):
            await ask(client, message(cancels=[cancel]))
    cancel.orders_before, cancel.decided_at.seconds = 0, 2 * 10**9
    with pytest.raises(InvalidRequest, match=r"E_FIELD: cancels\[0\].orders_before is 0, want 1 to 1"):
        await ask(client, message(cancels=[cancel]))
    with pytest.raises(InvalidRequest, match=r"E_FIELD: dataset_fingerprints"):
        await ask(client, message(dataset_fingerprints=[PRINTS["BTC-USD"]]))
    with pytest.raises(InvalidRequest, match=r"E_FIELD: account_model.leverage"):
        await ask(client, message(account_model={"type": "ACCOUNT_TYPE_CASH", "leverage": 2}))
    with pytest.raises(InvalidRequest, match=r"E_PROFILE_UNKNOWN"):
        await ask(client, message(account_model={"profile": "nobody"}))
    with pytest.raises(InvalidRequest, match=r"E_CURRENCIES"):
        await ask(client, message(account_model={"base_currency": "EUR"}))
    with pytest.raises(InvalidRequest, match="E_WORLD_IDS_MISMATCH"):
        await ask(client, message(), "w2")
    with pytest.raises(NotFound, match="E_ARTIFACT_UNKNOWN"):
        await ask(client, message(dataset_fingerprints=["sha256:none"]))


async def test_bars_of_another_artifact_are_not_taken(mesh: Mesh) -> None:
    seal(mesh, walk(50))
    mesh.feed.other_fingerprint = "sha256:other"
    message = replaypb.OrderReplay(world_id="w1", strategy_id="s1", dataset_fingerprints=[PRINTS["BTC-USD"]])
    with pytest.raises(NotReady, match="E_FETCH_CUT"):
        await ask(mesh.client(service="worldservice"), message)


async def test_the_time_that_another_takes_is_not_held_against_a_list(mesh: Mesh) -> None:
    seal(mesh, walk(50))
    client = mesh.client(service="worldservice")
    message = replaypb.OrderReplay(world_id="w1", strategy_id="s1", dataset_fingerprints=[PRINTS["BTC-USD"]])
    mesh.feed.serving.clear()
    first = asyncio.create_task(ask(client, message))
    await mesh.feed.fetched.wait()
    with pytest.raises(Exhausted, match="E_OVERLOADED: other replays took"):
        await ask(client, message, patience_s=8.0)
    mesh.feed.serving.set()
    assert (await first)[-1].summary.equity_count == 50
    assert (await ask(client, message))[-1].summary.equity_count == 50


async def test_only_who_evaluates_may_ask(mesh: Mesh) -> None:
    message = replaypb.OrderReplay(world_id="w1", strategy_id="s1", dataset_fingerprints=["sha256:btc"])
    with pytest.raises(PermissionDenied):
        await ask(mesh.client(service="gateway"), message)
