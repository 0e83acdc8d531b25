"""A paper session without bars left is refused; interrupted, what never traded is withdrawn, what trades goes on."""

from __future__ import annotations

import asyncio

import pytest

from qmtl.core.errors import NotReady
from qmtl.sdk.mesh.session.run import trade
from qmtl.sdk.mesh.session.terms import SessionTerms
from qmtl.sdk.strategy.assembly import assemble
from tests.sdk.mesh.fakes import FakeMesh
from tests.sdk.mesh.session.test_session import BARS, START, Cross, active_mesh, orders_of, run, submitter


async def test_interrupted_before_it_was_activated_nothing_stays_bound() -> None:
    mesh = FakeMesh(BARS, START)
    waiting = asyncio.create_task(run(mesh))
    await mesh.watched.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError) as ended:
        await waiting
    assert mesh.canceled == {"s-1": "its submission ended: CancelledError"}
    assert ended.value.__notes__ == ["strategy s-1 was withdrawn from world w"]


@pytest.mark.parametrize("known_before", [True, False])
async def test_interrupted_while_it_trades_it_stays_and_goes_on(known_before: bool) -> None:
    mesh = await active_mesh() if known_before else FakeMesh(BARS, START)
    under_way = asyncio.Event()
    waiting = asyncio.create_task(
        trade(submitter(mesh), assemble(Cross()), None, SessionTerms(), lambda _: under_way.set())
    )
    if not known_before:
        await mesh.watched.wait()
        mesh.activate("s-1")
    await under_way.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError) as ended:
        await waiting
    assert not mesh.canceled
    assert ended.value.__notes__ == ["strategy s-1 stays in world w as it was"]
    whole = await run(await active_mesh())
    assert orders_of(await run(mesh)) == orders_of(whole)


async def test_a_session_that_begins_where_its_data_ends_is_refused_in_one_sentence() -> None:
    mesh, strategy = await active_mesh(), Cross()
    mesh.start_ns = int(BARS.close_ns[-1])
    mesh.activate("s-1")
    with pytest.raises(
        NotReady, match=r"no bars of test\.btc to play, want a first bar after .* and before"
    ) as refused:
        await run(mesh, strategy)
    assert refused.value.reason == "E_NO_BARS_LEFT"
    assert "--stage backtest, which closes the session" in refused.value.hint  # deactivated it would stay open
    assert refused.value.__suppress_context__
    assert strategy.log == ["NotReady"]
