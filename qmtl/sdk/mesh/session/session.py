"""The paper session: a strategy goes on from history into live bars, as far as its world lets it.

Bars come from the world's session, nodes continue from history, and a replay waits for each bar's orders. Any process
of the mesh may die meanwhile: streams resume where they were and calls are repeated. A session that another process
takes up again knows from the orders themselves what was done, so nothing is doubled.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from functools import partial

from brokerage.domain.orders.order import Owner
from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.broker.v1 import account_service_pb2 as accountservicepb
from qmtl.broker.v1 import portfolio_pb2 as portfoliopb
from qmtl.core.clock import Clock, SystemClock
from qmtl.core.errors import Conflict, NotFound, NotReady, QmtlError, Unavailable, refused
from qmtl.core.fills import FillEvent
from qmtl.core.identity.canonical import digest
from qmtl.core.instants import from_ns, timestamp_text, to_ns
from qmtl.data.v1 import data_session_service_pb2 as datasessionservicepb
from qmtl.rpc.client.streams import scoped
from qmtl.sdk.data.binding import bind
from qmtl.sdk.execution.decide import DecisionLogic
from qmtl.sdk.execution.in_step import CommandsInStep
from qmtl.sdk.execution.port import DeniedOrder
from qmtl.sdk.execution.run_record import result_of
from qmtl.sdk.mesh.client import Gateway, open_client
from qmtl.sdk.mesh.data_clock import DataClock, Step
from qmtl.sdk.mesh.history import Market, warm_up_request
from qmtl.sdk.mesh.retrying import RetryingClient
from qmtl.sdk.mesh.session.activation import FollowedActivation, follow_activation, followers, paper_session
from qmtl.sdk.mesh.session.equity import SessionBook, equity_record
from qmtl.sdk.mesh.session.events import BarDone, ErrorHook, OnEvent, SessionEvent
from qmtl.sdk.mesh.session.execution import MeshExecution, SessionMarket, session_instruments, session_market
from qmtl.sdk.mesh.session.order_events import OrderListener, follow_orders, list_fills, list_orders
from qmtl.sdk.mesh.session.pacing import Follower
from qmtl.sdk.mesh.session.portfolio import FollowedPortfolio
from qmtl.sdk.mesh.session.result import SessionResult
from qmtl.sdk.mesh.session.streams import beside
from qmtl.sdk.mesh.session.terms import PaperTerms, paper_account
from qmtl.sdk.mesh.session.trading import SessionTrading, StateInStep
from qmtl.sdk.mesh.submission.submit import BoundStrategy, Submitter
from qmtl.sdk.mesh.wire.bars import bar_from_proto, subscription
from qmtl.sdk.strategy.assembly import Assembled, assemble
from qmtl.sdk.strategy.strategy import Strategy
from qmtl.wire.instants import ns_from_proto
from qmtl.world.v1 import session_pb2 as sessionpb

log = logging.getLogger("qmtl.sdk.mesh.session")


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
    """Bind a strategy, or attach to it, and run its paper session to the end.

    Interrupted before anything of it was active, what this call has bound is withdrawn. What trades, or was there
    before, stays: its positions are an operator's to close, and another call goes on with it.
    """
    market = await submitter.data.market(assembled, data, in_session=True)
    bound = await submitter.bind(assembled)
    session = _PaperSession(submitter, assembled, bound, terms, market, on_event)
    with ErrorHook(assembled.strategy):
        try:
            return await session.run()
        except asyncio.CancelledError as error:
            if bound.attached or session.active:
                error.add_note(f"strategy {bound.strategy.strategy_id} stays in world {submitter.world} as it was")
            else:
                await submitter.withdraw(bound.strategy.strategy_id, error)
            raise


class _PaperSession:
    """One run: the parts that must all be followed at once, and what they have in common."""

    def __init__(
        self,
        submitter: Submitter,
        assembled: Assembled,
        bound: BoundStrategy,
        terms: PaperTerms,
        market: Market,
        on_event: OnEvent | None,
    ) -> None:
        self._submitter = submitter
        self._client = submitter.client
        self._assembled = assembled
        self._strategy_id = bound.strategy.strategy_id
        self._terms = terms
        self._activation = FollowedActivation()
        self._market = market
        self._traded = {rule.symbol: market.member(rule.symbol, rule.price.interval_s) for rule in assembled.rules}
        self._data_clock = DataClock(assembled.dag, market)
        self._denials: list[DeniedOrder] = []
        self._clients: list[RetryingClient] = []
        self._reported: set[str] = set()
        self._on_event = on_event
        self._span_ns = (0, 0)
        self._late_ns = set[int]()
        self._orders = OrderListener(assembled.strategy, assembled.rules)
        in_step = CommandsInStep(assembled) if assembled.in_step else None
        self._state = None if in_step is None else StateInStep(in_step, self._traded)

    @property
    def active(self) -> bool:
        """Whether the world has let it trade."""
        return self._strategy_id in followers(self._activation.envelope)

    async def run(self) -> SessionResult:
        """From the activation to the session's end."""
        world, activation = self._submitter.world, self._activation
        events = follow_activation(self._another(), world, self._strategy_id, activation)
        return await beside(self._whole(), events)

    async def _whole(self) -> SessionResult:
        session = await self._activation.until(
            lambda envelope: paper_session(envelope, self._strategy_id),
            self._terms.activation_wait_s,
            f"strategy {self._strategy_id} was not activated for paper in world {self._submitter.world}",
        )
        await self._open_data_session(session)
        await self._warm_up(session)
        account = await self._open_account(session)
        owner = Owner(account.account, self._submitter.world, self._strategy_id)
        portfolio = FollowedPortfolio(self._another(), owner)
        work = self._trade(session, account, owner, portfolio)
        return await beside(work, portfolio.follow())

    async def _trade(
        self,
        session: sessionpb.Session,
        account: accountpb.Account,
        owner: Owner,
        portfolio: FollowedPortfolio,
    ) -> SessionResult:
        market = await session_market(self._another(), account, self._traded)
        execution = MeshExecution(self._another(), owner, self._activation, portfolio, market)
        trading = SessionTrading(DecisionLogic(self._assembled), execution, self._state)
        begun = asyncio.Event()
        missed = partial(self._list_missed, owner)
        events = follow_orders(self._another(), owner, self._report, self._orders.hear, begun, missed)
        follower = self._follower(session)
        work = self._session_work(session, account, owner, trading, market, begun, follower)
        kept = [follower.hold()] if follower else []
        await beside(work, events, *kept)
        played = self._data_clock.played
        last = await portfolio.at(max((int(bars.close_ns[-1]) for bars in played if len(bars)), default=0))
        return await self._result(session, account, owner, last, market)

    def _follower(self, session: sessionpb.Session) -> Follower | None:
        """Its place in a replay; a live feed waits for nobody."""
        replay = self._market.preset.replay
        return Follower(self._another(), session.session_id, self._strategy_id) if replay else None

    async def _session_work(
        self,
        session: sessionpb.Session,
        account: accountpb.Account,
        owner: Owner,
        trading: SessionTrading,
        market: SessionMarket,
        begun: asyncio.Event,
        follower: Follower | None,
    ) -> None:
        """What was done before, then every bar. Orders are listed, and sent, once their events are followed: one that
        is filled in between would be told by neither.
        """
        retrying = self._another()
        await begun.wait()
        _, earlier = await asyncio.gather(trading.recall(retrying, owner), list_fills(self._another(), owner))
        self._reported.update(fill.trade_id for fill in earlier)
        if self._state is not None:
            self._state.begin(partial(self._books, account, owner, market), market.instruments)
        if self._orders.listens:
            self._orders.begin(await list_orders(self._another(), owner))
        self._assembled.strategy.on_start()
        await self._play(session, trading, follower)

    async def _list_missed(self, owner: Owner) -> None:
        """Tell of orders and fills whose events did not come."""
        for fill in await list_fills(self._submitter.retrying, owner):
            self._report(fill)
        self._orders.compare(await list_orders(self._submitter.retrying, owner))

    async def _books(self, account: accountpb.Account, owner: Owner, market: SessionMarket) -> SessionBook:
        """The books of every fill until now."""
        fills = await list_fills(self._submitter.retrying, owner)
        return SessionBook(account, list(market.instruments.values()), fills)

    def _report(self, fill: FillEvent) -> None:
        """Tell the strategy of a fill, once."""
        if fill.trade_id not in self._reported:
            self._reported.add(fill.trade_id)
            self._assembled.strategy.on_fill(fill)
            self._tell(fill)

    def _tell(self, event: SessionEvent) -> None:
        if self._on_event is not None:
            self._on_event(event)

    async def _open_data_session(self, session: sessionpb.Session) -> None:
        """See that the session's bars are played or followed; whoever opened a replay first has chosen the pace."""
        replay = self._market.preset.replay
        known = datasessionservicepb.GetDataSessionRequest(session_id=session.session_id)
        opening = datasessionservicepb.OpenDataSessionRequest(
            session_id=session.session_id,
            world_id=session.world_id,
            preset=self._market.preset.name,
            start_time=session.start,
            bars_per_second=self._terms.bars_per_second if replay else 0.0,
            followers=followers(self._activation.envelope) if replay else (),
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

        It is like the one of the world's backtests: kind, leverage, cash and profile are the policy's.
        """
        first, *others = self._traded.values()
        request = paper_account(await self._submitter.decision(), self._terms)
        request.account = self._terms.account or account_name(self._strategy_id, session.session_id)
        request.world_id = self._submitter.world
        request.data_preset, request.data_session_id = first.name, session.session_id
        traded = await session_instruments(self._submitter.retrying, self._traded)
        quotes = {instrument.quote for instrument in traded.values()}
        if not request.base_currency and len(quotes) == 1:
            request.base_currency = quotes.pop()
        ask, accounts = self._submitter.retrying.ask, self._client.accounts
        opened = (await ask(lambda: accounts.OpenPaperAccount(request), "account")).account
        for preset in others:
            feed = accountservicepb.AddFeedRequest(
                account=opened.account, data_preset=preset.name, data_session_id=session.session_id
            )
            opened = (await ask(partial(accounts.AddFeed, feed), "feed")).account
        return opened

    async def _warm_up(self, session: sessionpb.Session) -> None:
        """Feed all history before the session. Raises NotReady (E_WARMUP) when that is too short to decide on."""
        history, dag = (
            (await self._submitter.data.fetch(self._market, warm_up_request(session))).bars,
            self._assembled.dag,
        )
        for source, bars in ((source, bind(dag, history)[source.node_id]) for source in dag.sources):
            needed = dag.warmup_of(source)
            if len(bars) < needed:
                raise NotReady(
                    "E_WARMUP",
                    f"{len(bars)} bars of {source.symbol} before the session, the strategy needs {needed}",
                    hint="start the session later or shorten the strategy's periods",
                )
        start_ns = ns_from_proto(session.start, "session.start")
        made = None if self._state is None else self._state.warm_up
        await asyncio.to_thread(self._data_clock.warm_up, history, start_ns, made)

    async def _play(self, session: sessionpb.Session, trading: SessionTrading, follower: Follower | None) -> None:
        """Every bar of the session, once, in order."""
        until_ns = to_ns(self._terms.until) if self._terms.until else None
        outage, position = self._another().outage, ns_from_proto(session.start, "session.start")
        while True:
            name = follower.name if follower else ""
            request = subscription(self._market.preset.name, session.session_id, position, follower=name)
            self._data_clock.taken_up()
            try:
                with scoped(self._client.data.Subscribe(request)) as replies:
                    async for reply in replies:
                        outage.answered()
                        watermark_ns = max(position, ns_from_proto(reply.watermark, "watermark"))
                        reached_ns = max(watermark_ns, ns_from_proto(reply.reached, "reached"))
                        for step in self._data_clock.take(map(bar_from_proto, reply.bars), watermark_ns):
                            # What closed before was played without it, or missed by its feed: nothing to act on.
                            await self._step(step, trading, live=step.close_ns >= reached_ns)
                        position = watermark_ns
                        done = reply.end_of_session or (until_ns is not None and position >= until_ns)
                        if follower:
                            await follower.confirm(position, leave=done)
                        if done:
                            return
                raise Unavailable("E_STREAM_ENDED", "the stream of bars ended before the session did")
            except QmtlError as error:
                await outage.failed(error, "bars")

    async def _step(self, step: Step, trading: SessionTrading, *, live: bool) -> None:
        if live:
            for denial in await trading.act(step):
                if not self._denials or self._denials[-1].rule != denial.rule:
                    self._tell(denial)
                self._denials.append(denial)
        else:
            self._late_ns.add(step.close_ns)
            log.info("the bars of %s came late: followed, not acted on", timestamp_text(from_ns(step.close_ns)))
            await trading.watch(step)
        self._tell(BarDone(step.close_ns, self._data_clock.steps, *self._span_ns))

    async def _result(
        self,
        session: sessionpb.Session,
        account: accountpb.Account,
        owner: Owner,
        portfolio: portfoliopb.Portfolio,
        market: SessionMarket,
    ) -> SessionResult:
        retrying = self._another()
        booked = await list_fills(retrying, owner)
        fills = sorted(booked, key=lambda fill: (fill.booked_ns, fill.symbol))  # of one instant, feeds race each other
        for fill in fills:
            self._report(fill)
        orders = await list_orders(retrying, owner)
        self._orders.compare(orders)
        self._assembled.strategy.on_finish()
        bars, kinds = self._data_clock.played, [(one.symbol, one.interval.seconds) for one in self._traded.values()]
        traded = [one for one in bars if (one.symbol, one.interval_s) in kinds]
        record = equity_record(account, list(market.instruments.values()), traded, fills, self._denials)
        replay = result_of(record, account.base_currency)
        return SessionResult(
            name=self._assembled.name,
            owner=owner,
            session=session,
            account=account,
            bars=bars,
            late_ns=frozenset(self._late_ns),
            replay=replay,
            orders=tuple(orders),
            portfolio=portfolio,
            evaluation=await self._submitter.evaluate_paper(session, owner, traded[0], dict(replay.metrics)),
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
