"""A strategy that reads a feature on a mesh: what its context sees of it, in a submission and in a session."""

from __future__ import annotations

import polars as pl
import pytest

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import NotReady
from qmtl.core.instants import from_ns
from qmtl.sdk import Runner, Strategy, StreamInput, feature, indicators, signals
from qmtl.sdk.data.outputs import batch_outputs
from qmtl.sdk.execution.terms import AccountTerms
from qmtl.sdk.graph.dag import build_dag
from qmtl.sdk.mesh.history import History
from qmtl.sdk.mesh.session.run import trade
from qmtl.sdk.mesh.session.terms import SessionTerms
from qmtl.sdk.strategy.assembly import assemble
from tests.sdk.market import walk
from tests.sdk.mesh.fakes import FakeMesh
from tests.sdk.mesh.session.test_session import submitter

BARS, START = walk(300, seed=8), 200
BACKTEST, DRYRUN = commonpb.EXECUTION_DOMAIN_BACKTEST, commonpb.EXECUTION_DOMAIN_DRYRUN


class Leaning(Strategy):
    """Long while the price is above the feature."""

    def setup(self) -> None:
        price = StreamInput("BTC-USD")
        slow = feature(price, "slow", params={"window": 20})
        self.trade(signals.position_target(signals.trend(indicators.ema(price, 2), slow), long=0.5), price)


def published() -> pl.DataFrame:
    average = indicators.sma(StreamInput("BTC-USD"), 20)
    made = batch_outputs(build_dag([average]), BARS)[average]
    return pl.DataFrame({"time_ns": made.time_ns, "value": made.rows[:, 0]})


async def active_mesh() -> FakeMesh:
    mesh = FakeMesh(BARS, START)
    mesh.features["slow"] = published()
    bound = await submitter(mesh).bind(assemble(Leaning()))
    mesh.activate(bound.strategy.strategy_id)
    return mesh


async def test_a_submission_reads_what_its_as_of_sees() -> None:
    mesh = await active_mesh()
    result = await submitter(mesh).submit(assemble(Leaning()), None, History(), None)
    [read] = mesh.feature_reads
    assert read.context.execution_domain == BACKTEST
    assert read.context.as_of == result.data.as_of
    assert (read.key.factor, read.key.instrument, read.key.params["window"]) == ("slow", "BTC-USD", 20)
    assert not read.key.dataset_fingerprint
    time = pl.from_epoch("time_ns", time_unit="ns").alias("time")
    rows = published().select(time, "value")
    assert result.replay.fills == Runner.backtest(Leaning(), result.bars, features={"slow": rows}).replay.fills
    assert not [name for name in mesh.queues if name == feature(StreamInput("BTC-USD"), "slow").node_id]


async def test_a_session_reads_what_was_published_when_it_began_and_is_the_backtest() -> None:
    mesh = await active_mesh()
    mesh.breaks["ReadFeature"] = 1
    result = await trade(submitter(mesh), assemble(Leaning()), None, SessionTerms())
    assert {(one.context.execution_domain, one.context.as_of.ToNanoseconds()) for one in mesh.feature_reads} == {
        (DRYRUN, mesh.start_ns)
    }
    rows = published().select(pl.from_epoch("time_ns", time_unit="ns").alias("time"), "value")
    terms = AccountTerms(start=from_ns(mesh.start_ns))
    local = Runner.backtest(Leaning(), BARS, terms=terms, features={"slow": rows})
    assert len(result.replay.fills) > 2
    assert result.replay.equity == local.replay.equity


async def test_what_nobody_published_is_missed_before_anything_is_ordered() -> None:
    mesh = await active_mesh()
    mesh.features.clear()
    with pytest.raises(NotReady, match="E_FEATURE_MISSING"):
        await trade(submitter(mesh), assemble(Leaning()), None, SessionTerms())
    with pytest.raises(NotReady, match="E_FEATURE_MISSING"):
        await submitter(mesh).submit(assemble(Leaning()), None, History(), None)
    assert not mesh.orders
