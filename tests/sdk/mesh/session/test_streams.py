"""Work and what is followed beside it end together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import cast

import pytest

from brokerage.domain.orders.order import Owner
from qmtl.broker.v1 import portfolio_service_pb2 as portfolioservicepb
from qmtl.core.clock import SystemClock
from qmtl.core.errors import Unavailable
from qmtl.sdk.mesh.client import Client
from qmtl.sdk.mesh.retrying import RetryingClient
from qmtl.sdk.mesh.session.account.portfolio import FollowedPortfolio
from qmtl.sdk.mesh.session.streams import beside
from tests.sdk.mesh.fakes import Replies


async def test_work_ends_with_its_followers_cancelled_and_fails_with_theirs() -> None:
    cancelled = asyncio.Event()

    async def follow() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async def fail() -> None:
        raise Unavailable("E_TEST", "gone")

    async def work() -> int:
        await asyncio.sleep(0)
        return 7

    async def endless() -> int:
        await asyncio.Event().wait()
        return 0

    assert await beside(work(), follow()) == 7
    assert cancelled.is_set()
    with pytest.raises(Unavailable):
        await beside(endless(), fail())


async def test_a_portfolio_stream_that_only_ends_is_an_outage_in_the_end() -> None:
    async def nothing(request: object) -> AsyncIterator[portfolioservicepb.StreamPortfolioResponse]:
        for reply in list[portfolioservicepb.StreamPortfolioResponse]():
            yield reply

    portfolios = SimpleNamespace(StreamPortfolio=lambda request: Replies(nothing(request)))
    client = cast("Client", SimpleNamespace(portfolios=portfolios))
    followed = FollowedPortfolio(RetryingClient.open(client, 0.05, SystemClock()), Owner("a", "w", "s"))
    with pytest.raises(Unavailable, match="E_STREAM_ENDED: the portfolio stream ended"):
        await followed.follow()
