"""The paper session: a strategy goes on from history into live bars, as far as its world lets it.

Bars come from the world's session, nodes continue from history, and a replay waits for each bar's orders. Any process
of the mesh may die meanwhile: streams resume where they were and calls are repeated. A session that another process
takes up again knows from the orders themselves what was done, so nothing is doubled.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

import numpy as np

from brokerage.domain.market.instrument import Instrument
from brokerage.domain.orders.order import Owner
from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.broker.v1 import account_service_pb2 as accountservicepb
from qmtl.broker.v1 import portfolio_pb2 as portfoliopb
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.clock import Clock, SystemClock
from qmtl.core.decimals import format_decimal
from qmtl.core.errors import Conflict, NotFound, NotReady, QmtlError, Unavailable, refused
from qmtl.core.fills import FillEvent
from qmtl.core.identity.canonical import digest
from qmtl.core.instants import to_ns
from qmtl.data.v1 import data_service_pb2 as dataservicepb
from qmtl.data.v1 import data_session_service_pb2 as datasessionservicepb
from qmtl.data.v1 import datasets_pb2 as datasetspb
from qmtl.rpc.client.streams import scoped
from qmtl.sdk.data.bars import Bars
from qmtl.sdk.engine.streaming import Emission, StreamEngine
from qmtl.sdk.execution.decide import DecisionLogic
from qmtl.sdk.execution.port import DeniedOrder
from qmtl.sdk.execution.run_record import result_of
from qmtl.sdk.mesh.client import Gateway, open_client
from qmtl.sdk.mesh.retrying import RetryingClient
from qmtl.sdk.mesh.session.activation import FollowedActivation, follow_activation, followers, paper_session
from qmtl.sdk.mesh.session.equity import equity_record
from qmtl.sdk.mesh.session.events import BarDone, ErrorHook, OnEvent, SessionEvent
from qmtl.sdk.mesh.session.execution import MeshExecution, session_market
from qmtl.sdk.mesh.session.order_events import follow_fills, list_fills, list_orders
from qmtl.sdk.mesh.session.pacing import Follower
from qmtl.sdk.mesh.session.portfolio import FollowedPortfolio
from qmtl.sdk.mesh.session.result import SessionResult
from qmtl.sdk.mesh.session.streams import beside
from qmtl.sdk.mesh.session.terms import PaperTerms
from qmtl.sdk.mesh.session.trading import SessionTrading
from qmtl.sdk.mesh.submission.submit import BoundStrategy, Submitter
from qmtl.sdk.mesh.wire.bars import LiveBar, bar_from_proto, subscription
from qmtl.sdk.strategy.assembly import Assembled, assemble
from qmtl.sdk.strategy.strategy import Strategy
from qmtl.wire.instants import ns_from_proto
from qmtl.wire.volumes import volume_unit_from_proto
from qmtl.world.v1 import session_pb2 as sessionpb


async def run(
    strategy: Strategy,
    *,
    world: str,
    data: str | None = None,
    terms: PaperTerms | None = None,
    gateway: Gateway | None = None,
    clock: Clock | None = None,
    on_event: OnEvent | None = None,
) -> SessionResult:
    """Run a strategy in its world's paper session; see Runner.run."""
    assembled, terms = assemble(strategy), terms or PaperTerms()
    gateway, clock = gateway or Gateway(), clock or SystemClock()
    if not assembled.rules:
        raise refused("E_NOTHING_TRADED", "trade", "no rule", "self.trade(target, price) in setup")
    async with open_client(gateway) as client:
        submitter = Submitter(RetryingClient.open(client, gateway.outage_s_max, clock), world)
        return await trade(submitter, assembled, data, terms, on_event)


async def trade(
    submitter: Submitter, assembled: Assembled, data: str | None, terms: PaperTerms, on_event: OnEvent | None = None
) -> SessionResult:
    """Bind a strategy, or attach to it, and run its paper session to the end."""
    preset = await submitter.data.preset(assembled, data)
    bound = await submitter.bind(assembled)
    with ErrorHook(assembled.strategy):
        return await _PaperSession(submitter, assembled, bound, terms, on_event).run(preset)


class _PaperSession:
    """One run: the parts that must all be followed at once, and what they have in common."""

    def __init__(
        self,
        submitter: Submitter,
        assembled: Assembled,
        bound: BoundStrategy,
        terms: PaperTerms,
        on_event: OnEvent | None,
    ) -> None:
        self._submitter = submitter
        self._client = submitter.client
        self._assembled = assembled
        self._strategy_id = bound.strategy.strategy_id
        self._terms = terms
        self._activation = FollowedActivation()
        self._engine = StreamEngine(assembled.dag)
        self._bars: list[LiveBar] = []
        self._denials: list[DeniedOrder] = []
        self._clients: list[RetryingClient] = []
        self._reported: set[str] = set()
        self._on_event = on_event
        self._span_ns = (0, 0)

    async def run(self, preset: datasetspb.Preset) -> SessionResult:
        """From the activation to the session's end."""
        world, activation = self._submitter.world, self._activation
        events = follow_activation(self._another(), world, self._strategy_id, activation)
        return await beside(self._whole(preset), events)

    async def _whole(self, preset: datasetspb.Preset) -> SessionResult:
        session = await self._activation.until(
            lambda envelope: paper_session(envelope, self._strategy_id),
            self._terms.activation_wait_s,
            f"strategy {self._strategy_id} was not activated for paper in world {self._submitter.world}",
        )
        await self._open_data_session(preset, session)
        await self._warm_up(preset, session)
        account = await self._open_account(session)
        owner = Owner(account.account, self._submitter.world, self._strategy_id)
        portfolio = FollowedPortfolio(self._another(), owner)
        work = self._trade(preset, session, account, owner, portfolio)
        return await beside(work, portfolio.follow())

    async def _trade(
        self,
        preset: datasetspb.Preset,
        session: sessionpb.Session,
        account: accountpb.Account,
        owner: Owner,
        portfolio: FollowedPortfolio,
    ) -> SessionResult:
        market = await session_market(self._another(), account, preset.symbol)
        execution = MeshExecution(self._another(), owner, self._activation, portfolio, market)
        trading = SessionTrading(DecisionLogic(self._assembled), execution)
        retrying = self._another()
        _, earlier = await asyncio.gather(trading.recall(retrying, owner), list_fills(self._another(), owner))
        self._reported.update(fill.trade_id for fill in earlier)
        self._assembled.strategy.on_start()
        fills = follow_fills(self._another(), owner, self._report)
        follower = Follower(self._another(), session.session_id, self._strategy_id) if preset.replay else None
        kept = [follower.hold()] if follower else []
        await beside(self._play(preset, session, trading, follower), fills, *kept)
        last = await portfolio.at(self._bars[-1].close_ns if self._bars else 0)
        return await self._result(preset, session, account, owner, last, market.instrument)

    def _report(self, fill: FillEvent) -> None:
        """Tell the strategy of a fill, once."""
        if fill.trade_id not in self._reported:
            self._reported.add(fill.trade_id)
            self._assembled.strategy.on_fill(fill)
            self._tell(fill)

    def _tell(self, event: SessionEvent) -> None:
        if self._on_event is not None:
            self._on_event(event)

    async def _open_data_session(self, preset: datasetspb.Preset, session: sessionpb.Session) -> None:
        """See that the session's bars are played; whoever opened it first has chosen the pace."""
        if not preset.replay:
            return
        known = datasessionservicepb.GetDataSessionRequest(session_id=session.session_id)
        opening = datasessionservicepb.OpenDataSessionRequest(
            session_id=session.session_id,
            world_id=session.world_id,
            preset=preset.name,
            start_time=session.start,
            bars_per_second=self._terms.bars_per_second,
            followers=followers(self._activation.envelope),
        )
        ask, sessions = self._submitter.retrying.ask, self._client.data_sessions
        try:
            reply = await ask(lambda: sessions.GetDataSession(known), "data session")
        except NotFound:
            with contextlib.suppress(Conflict):
                await ask(lambda: sessions.OpenDataSession(opening), "data session")
            reply = await ask(lambda: sessions.GetDataSession(known), "data session")
        self._span_ns = (
            ns_from_proto(reply.session.start_time, "session.start_time"),
            ns_from_proto(reply.session.end_time, "session.end_time"),
        )

    async def _open_account(self, session: sessionpb.Session) -> accountpb.Account:
        """The paper account on the session's bars; opened once, answered ever after.

        Its profile is the terms', else the one that the world's policy asks of backtests.
        """
        profile = self._terms.profile or (await self._submitter.decision()).execution_model.profile
        request = accountservicepb.OpenPaperAccountRequest(
            account=self._terms.account or account_name(self._strategy_id, session.session_id),
            world_id=self._submitter.world,
            starting_cash=format_decimal(self._terms.cash),
            fee_rate="" if profile else format_decimal(self._terms.fee_rate),
            profile=profile,
            data_preset=session.data_preset,
            data_session_id=session.session_id,
        )
        reply = await self._submitter.retrying.ask(lambda: self._client.accounts.OpenPaperAccount(request), "account")
        return reply.account

    async def _warm_up(self, preset: datasetspb.Preset, session: sessionpb.Session) -> None:
        """Feed all history before the session. Raises NotReady (E_WARMUP) when that is too short to decide on."""
        history = (await self._submitter.data.fetch(preset, warm_up_request(preset, session))).bars
        needed = self._assembled.dag.warmup_bars
        if len(history) < needed:
            raise NotReady(
                "E_WARMUP",
                f"{len(history)} bars before the session, the strategy needs {needed}",
                hint="start the session later or shorten the strategy's periods",
            )
        await asyncio.to_thread(self._feed, history)

    def _feed(self, history: Bars) -> None:
        for time_ns, row in zip(history.close_ns.tolist(), history.values.tolist(), strict=True):
            for source in self._assembled.dag.sources:
                self._engine.push(source, time_ns, row)

    async def _play(
        self, preset: datasetspb.Preset, session: sessionpb.Session, trading: SessionTrading, follower: Follower | None
    ) -> None:
        """Every bar of the session, once, in order."""
        until_ns = to_ns(self._terms.until) if self._terms.until else None
        outage, position = self._another().outage, ns_from_proto(session.start, "session.start")
        while True:
            name = follower.name if follower else ""
            request = subscription(preset.name, session.session_id, position, follower=name)
            live_from_ns: int | None = None
            try:
                with scoped(self._client.data.Subscribe(request)) as replies:
                    async for reply in replies:
                        outage.answered()
                        if live_from_ns is None:
                            # The session stands at its watermark until this follower confirms it. What came before
                            # was played without it: that is history now, nothing to act on.
                            live_from_ns = await follower.watermark_ns() if follower else 0
                        for bar in map(bar_from_proto, reply.bars):
                            if bar.open_ns >= position:
                                await self._bar(bar, trading, live=bar.close_ns >= live_from_ns)
                        position = max(position, ns_from_proto(reply.watermark, "watermark"))
                        done = reply.end_of_session or (until_ns is not None and position >= until_ns)
                        if follower:
                            await follower.confirm(position, leave=done)
                        if done:
                            return
                raise Unavailable("E_STREAM_ENDED", "the stream of bars ended before the session did")
            except QmtlError as error:
                await outage.failed(error, "bars")

    async def _bar(self, bar: LiveBar, trading: SessionTrading, *, live: bool) -> None:
        self._bars.append(bar)
        emissions: list[Emission] = []
        for source in self._assembled.dag.sources:
            emissions.extend(self._engine.push(source, bar.close_ns, bar.row))
        if live:
            for denial in await trading.act(emissions):
                if not self._denials or self._denials[-1].rule != denial.rule:
                    self._tell(denial)
                self._denials.append(denial)
        else:
            trading.watch(emissions)
        self._tell(BarDone(bar.close_ns, len(self._bars), *self._span_ns))

    async def _result(
        self,
        preset: datasetspb.Preset,
        session: sessionpb.Session,
        account: accountpb.Account,
        owner: Owner,
        portfolio: portfoliopb.Portfolio,
        instrument: Instrument,
    ) -> SessionResult:
        retrying = self._another()
        fills = await list_fills(retrying, owner)
        for fill in fills:
            self._report(fill)
        self._assembled.strategy.on_finish()
        bars = bars_of(self._bars, preset)
        record = equity_record(account, instrument, bars, fills, self._denials)
        replay = result_of(record, account.base_currency, self._terms.periods_per_year)
        return SessionResult(
            name=self._assembled.name,
            owner=owner,
            session=session,
            account=account,
            bars=bars,
            replay=replay,
            orders=tuple(await list_orders(retrying, owner)),
            portfolio=portfolio,
            evaluation=await self._submitter.evaluate_paper(session, self._strategy_id, bars, dict(replay.metrics)),
            activation=self._activation.envelope,
            retries=sum(each.outage.retries for each in (*self._clients, self._submitter.retrying)),
        )

    def _another(self) -> RetryingClient:
        """A client for one more thing that goes on by itself."""
        made = self._submitter.retrying.separate()
        self._clients.append(made)
        return made


def account_name(strategy_id: str, session_id: str) -> str:
    """One paper account per strategy and session."""
    return f"{strategy_id}-{digest(session_id.encode()).removeprefix('blake3:')[:8]}"


def warm_up_request(preset: datasetspb.Preset, session: sessionpb.Session) -> dataservicepb.FetchRequest:
    """All history before a session, as the session's context may see it."""
    return dataservicepb.FetchRequest(
        dataset=preset.name,
        range=commonpb.TimeRange(end=session.start),
        context=commonpb.ComputeContext(
            world_id=session.world_id,
            execution_domain=commonpb.EXECUTION_DOMAIN_DRYRUN,
            as_of=session.start,
            dataset_fingerprint=session.dataset_fingerprint,
        ),
        session_id=session.session_id,
    )


def bars_of(played: Sequence[LiveBar], preset: datasetspb.Preset) -> Bars:
    """Live bars as arrays."""
    times = np.array([bar.open_ns for bar in played], dtype=np.int64)
    rows = np.array([bar.row for bar in played], dtype=np.float64).reshape(len(played), 5)
    return Bars(preset.symbol, preset.interval.seconds, times, rows, volume_unit_from_proto(preset.volume_unit))
