"""A session: a strategy goes on from history into live bars, on paper or at an exchange, as far as its world lets it.

Bars come from the world's session, nodes continue from history, and a replay waits for each bar's orders. Any process
of the mesh may die meanwhile: streams resume where they were and calls are repeated. A session that another process
takes up again knows from the orders themselves what was done, so nothing is doubled.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial

from brokerage.domain.orders.order import Owner
from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.broker.v1 import portfolio_pb2 as portfoliopb
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.decimals import parse_decimal
from qmtl.core.errors import Conflict, InvalidRequest, NotFound, NotReady, QmtlError, Unavailable
from qmtl.core.fills import FillEvent
from qmtl.core.instants import from_ns, timestamp_text, to_ns
from qmtl.data.v1 import data_service_pb2 as dataservicepb
from qmtl.data.v1 import data_session_service_pb2 as datasessionservicepb
from qmtl.rpc.client.streams import scoped
from qmtl.sdk.data.binding import bind
from qmtl.sdk.execution.decide import DecisionLogic
from qmtl.sdk.execution.in_step import CommandsInStep
from qmtl.sdk.execution.port import DeniedOrder
from qmtl.sdk.execution.run_record import result_of
from qmtl.sdk.mesh.data_clock import DataClock, Step
from qmtl.sdk.mesh.features import bind_published
from qmtl.sdk.mesh.history import Market, warm_up_request
from qmtl.sdk.mesh.retrying import RetryingClient
from qmtl.sdk.mesh.session.account.equity import SessionBook, equity_record, held_from
from qmtl.sdk.mesh.session.account.opening import account_name, find_live_account, open_paper_account, paper_account
from qmtl.sdk.mesh.session.account.portfolio import FollowedPortfolio
from qmtl.sdk.mesh.session.activation import FollowedActivation, followers, moved
from qmtl.sdk.mesh.session.events import BarDone, CaughtUp, OnEvent, SessionBegun, SessionEvent
from qmtl.sdk.mesh.session.execution import MeshExecution, SessionMarket, session_market
from qmtl.sdk.mesh.session.order_events import OrderListener, follow_orders, list_fills, list_orders
from qmtl.sdk.mesh.session.pacing import Follower
from qmtl.sdk.mesh.session.result import SessionResult
from qmtl.sdk.mesh.session.streams import ReadAhead, beside
from qmtl.sdk.mesh.session.terms import SessionTerms
from qmtl.sdk.mesh.session.trading import SessionTrading, Standing, StateInStep
from qmtl.sdk.mesh.submission.submit import Submitter
from qmtl.sdk.mesh.wire.bars import bar_from_proto, subscription
from qmtl.sdk.strategy.assembly import Assembled
from qmtl.wire.instants import ns_from_proto
from qmtl.world.v1 import decision_pb2 as decisionpb
from qmtl.world.v1 import session_pb2 as sessionpb

log = logging.getLogger("qmtl.sdk.mesh.session")


@dataclass(frozen=True, slots=True, eq=False)
class SessionPlace:
    """Where a strategy trades: the world's activation, its session in the domain of the strategy, and its data."""

    activation: FollowedActivation
    session: sessionpb.Session
    market: Market


class Session:
    """One session: the parts that must all be followed at once, and what they have in common."""

    def __init__(
        self,
        submitter: Submitter,
        assembled: Assembled,
        strategy_id: str,
        place: SessionPlace,
        terms: SessionTerms,
        clients: list[RetryingClient],
        on_event: OnEvent | None,
    ) -> None:
        self._submitter = submitter
        self._client = submitter.client
        self._assembled = assembled
        self._strategy_id = strategy_id
        self._terms = terms
        self._activation = place.activation
        self._session = place.session
        self._is_live = place.session.execution_domain == commonpb.EXECUTION_DOMAIN_LIVE
        self._market = market = place.market
        self._traded = {rule.symbol: market.member(rule.symbol, rule.price.interval_s) for rule in assembled.rules}
        self._data_clock = DataClock(assembled.dag, market)
        self._denials: list[DeniedOrder] = []
        self._clients = clients
        self._reported: set[str] = set()
        self._on_event = on_event
        self._span_ns = (0, 0)
        self._bars = self._another()
        self._position_ns = ns_from_proto(place.session.start, "session.start")
        self._reached_ns = 0
        self._late_ns = set[int]()
        self._behind = 0
        self._orders = OrderListener(assembled.strategy, assembled.rules)
        in_step = CommandsInStep(assembled) if assembled.in_step else None
        self._state = None if in_step is None else StateInStep(in_step, self._traded)
        self._standing = Standing({one.command.node_id for one in assembled.rules}, self._state)
        self._keeps = False

    @property
    def moved(self) -> bool:
        """Whether the world lets the strategy trade in another session than this one's domain has."""
        return moved(self._activation.envelope, self._strategy_id, self._session.execution_domain)

    async def begin(self) -> accountpb.Account:
        """Open the session's data, feed its history to the nodes, and open or find the account that it trades on."""
        await self._open_data_session(self._session)
        if self._is_live:
            self._keeps = (await self._submitter.decision()).on_promote == decisionpb.ON_PROMOTE_KEEP
        await self._warm_up(self._session)
        return await self._account()

    async def run(self, account: accountpb.Account) -> SessionResult:
        """From its begin to the session's end, or until the strategy trades elsewhere."""
        owner = Owner(account.account, self._submitter.world, self._strategy_id)
        self._tell(SessionBegun(self._session.session_id, account.account, self._is_live, *self._span_ns))
        portfolio = FollowedPortfolio(self._another(), owner)
        return await beside(self._trade(account, owner, portfolio), portfolio.follow())

    async def _account(self) -> accountpb.Account:
        """On paper one like that of the world's backtests: kind, leverage, cash and profile are the policy's."""
        retrying = self._submitter.retrying
        if self._is_live:
            return await find_live_account(retrying, self._submitter.world, self._terms, self._traded)
        request = paper_account(await self._submitter.decision(), self._terms)
        request.account = self._terms.account or account_name(self._strategy_id, self._session.session_id)
        return await open_paper_account(retrying, self._session, request, self._traded)

    async def _trade(self, account: accountpb.Account, owner: Owner, portfolio: FollowedPortfolio) -> SessionResult:
        market = replace(await session_market(self._another(), account, self._traded), version=self._terms.version)
        execution = MeshExecution(self._another(), owner, self._activation, portfolio, market)
        logic = DecisionLogic(self._assembled, version=market.version)
        standing = self._standing.commands if self._keeps else None
        trading = SessionTrading(logic, execution, self._state, standing)
        capital = parse_decimal((await portfolio.read()).equity, "portfolio.equity") if self._is_live else None
        begun = asyncio.Event()
        missed = partial(self._list_missed, owner, trading)

        def hear(event: orderpb.OrderEvent) -> None:
            trading.hear(event)
            self._orders.hear(event)

        events = follow_orders(self._another(), owner, self._report, hear, begun, missed)
        follower = self._follower()
        work = self._session_work(account, owner, trading, market, begun, follower)
        kept = [follower.hold()] if follower else []
        await beside(work, events, *kept)
        played = self._data_clock.played
        last = await portfolio.at(max((int(bars.close_ns[-1]) for bars in played if len(bars)), default=0))
        if self._is_live:  # an exchange fills between bars
            last = await portfolio.read()
        return await self._result(account, owner, last, market, capital)

    def _follower(self) -> Follower | None:
        """Its place in a replay; a live feed waits for nobody."""
        replay = self._market.preset.replay
        return Follower(self._another(), self._session.session_id, self._strategy_id) if replay else None

    async def _session_work(
        self,
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
        await self._play(trading, follower)

    async def _list_missed(self, owner: Owner, trading: SessionTrading) -> None:
        """Tell of orders and fills whose events did not come."""
        for fill in await list_fills(self._submitter.retrying, owner):
            self._report(fill)
        orders = await list_orders(self._submitter.retrying, owner)
        self._orders.compare(orders)
        trading.compare(orders)

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
            await self._open_first(opening)
            reply = await ask(lambda: sessions.GetDataSession(known), "data session")
        self._span_ns = (
            ns_from_proto(reply.session.start_time, "session.start_time"),
            ns_from_proto(reply.session.end_time, "session.end_time"),
        )

    async def _open_first(self, opening: datasessionservicepb.OpenDataSessionRequest) -> None:
        """Open it unless another does meanwhile. Raises NotReady (E_NO_BARS_LEFT)."""
        sessions = self._client.data_sessions
        try:
            with contextlib.suppress(Conflict):
                await self._submitter.retrying.ask(lambda: sessions.OpenDataSession(opening), "data session")
        except InvalidRequest as error:
            bounds = next((one for one in error.violations if one.field == "start_time"), None)
            if bounds is None:
                raise
            raise NotReady(
                "E_NO_BARS_LEFT",
                f"session {opening.session_id} of world {opening.world_id} begins at {bounds.value} and has no bars of "
                f"{opening.preset} to play, want {bounds.want}",
                hint="submit with an earlier end (History(end=...), --end); lower all that is on paper there with "
                "qmtl world activate WORLD STRATEGY --stage backtest, which closes the session; raise it again",
            ) from None

    async def _warm_up(self, session: sessionpb.Session) -> None:
        """Feed all history before the session. Raises NotReady (E_WARMUP) when that is too short to decide on."""
        request, dag = warm_up_request(session), self._assembled.dag
        await bind_published(self._submitter.retrying, request.context, dag)
        history = (await self._submitter.data.fetch(self._market, request)).bars
        for source, bars in ((source, bind(dag, history)[source.node_id]) for source in dag.sources):
            needed = dag.warmup_of(source)
            if len(bars) < needed:
                raise NotReady(
                    "E_WARMUP",
                    f"{len(bars)} bars of {source.symbol} before the session, the strategy needs {needed}",
                    hint="start the session later or shorten the strategy's periods",
                )
        start_ns = ns_from_proto(session.start, "session.start")
        made = None if self._state is None and not self._keeps else self._standing.warm_up
        await asyncio.to_thread(self._data_clock.warm_up, history, start_ns, made)

    async def _play(self, trading: SessionTrading, follower: Follower | None) -> None:
        """Every bar of the session, once, in order. A live feed is read ahead: it waits for nobody, and is left without
        its next bar.
        """
        outage, name = self._bars.outage, follower.name if follower else ""
        leaves = partial(self._activation.leaves, self._strategy_id, self._session.execution_domain)
        while True:
            request = subscription(self._market.preset.name, self._session.session_id, self._position_ns, follower=name)
            self._data_clock.taken_up()
            try:
                with scoped(self._client.data.Subscribe(request)) as replies:
                    if follower is not None:
                        done = await self._listen(aiter(replies), trading, follower, None)
                    else:
                        async with ReadAhead(aiter(replies), self._heard, ended=leaves) as ahead:
                            done = await self._listen(ahead, trading, None, ahead)
                if done:
                    return
                raise Unavailable("E_STREAM_ENDED", "the stream of bars ended before the session did")
            except QmtlError as error:
                await outage.failed(error, "bars")

    def _heard(self, reply: dataservicepb.SubscribeResponse) -> None:
        self._bars.outage.answered()
        self._reached_ns = max(self._reached_ns, _watermark(reply), ns_from_proto(reply.reached, "reached"))

    async def _listen(
        self,
        replies: AsyncIterator[dataservicepb.SubscribeResponse],
        trading: SessionTrading,
        follower: Follower | None,
        ahead: ReadAhead[dataservicepb.SubscribeResponse] | None,
    ) -> bool:
        """The steps of each reply; whether that was all. What closed before the newest that is known was played without
        it, missed by its feed, or has waited here too long: there is nothing to act on.
        """
        async for reply in replies:
            self._heard(reply)
            self._position_ns = max(self._position_ns, _watermark(reply))
            for step in self._data_clock.take(map(bar_from_proto, reply.bars), self._position_ns):
                if ahead is not None:
                    await ahead.drain()
                await self._step(step, trading, live=step.close_ns >= self._reached_ns)
            until = self._terms.until
            done = reply.end_of_session or self.moved or (until is not None and self._position_ns >= to_ns(until))
            if follower:
                await follower.confirm(self._position_ns, leave=done)
            if done:
                return True
        return ahead is not None and self.moved

    async def _step(self, step: Step, trading: SessionTrading, *, live: bool) -> None:
        if live:
            self._catch_up(step.close_ns)
            for denial in await trading.act(step):
                if not self._denials or self._denials[-1].rule != denial.rule:
                    self._tell(denial)
                self._denials.append(denial)
        else:
            self._late_ns.add(step.close_ns)
            self._behind += 1
            await trading.watch(step)
        self._tell(BarDone(step.close_ns, self._data_clock.steps, *self._span_ns))

    def _catch_up(self, time_ns: int) -> None:
        """Tell how many closes were followed only, once there is one to act on."""
        if self._behind:
            told = timestamp_text(from_ns(time_ns))
            log.warning("%d closes before %s came late: followed, not acted on", self._behind, told)
            self._tell(CaughtUp(time_ns, self._behind))
            self._behind = 0

    async def _result(
        self,
        account: accountpb.Account,
        owner: Owner,
        portfolio: portfoliopb.Portfolio,
        market: SessionMarket,
        capital: Decimal | None,
    ) -> SessionResult:
        self._catch_up(self._reached_ns)
        seen_ns = ns_from_proto(portfolio.time, "portfolio.time") if portfolio.HasField("time") else 0
        retrying, instruments = self._another(), list(market.instruments.values())
        booked = await list_fills(retrying, owner)
        fills = sorted(booked, key=lambda fill: (fill.booked_ns, fill.symbol))  # of one instant, feeds race each other
        for fill in fills:
            self._report(fill)
        orders = await list_orders(retrying, owner)
        self._orders.compare(orders)
        self._assembled.strategy.on_finish()
        bars, kinds = self._data_clock.played, [(one.symbol, one.interval.seconds) for one in self._traded.values()]
        traded = [one for one in bars if (one.symbol, one.interval_s) in kinds]
        record = equity_record(account, instruments, traded, fills, self._denials, capital)
        replay = result_of(record, account.base_currency)
        return SessionResult(
            name=self._assembled.name,
            owner=owner,
            session=self._session,
            account=account,
            bars=bars,
            late_ns=frozenset(self._late_ns),
            replay=replay,
            orders=tuple(orders),
            portfolio=portfolio,
            held=held_from(instruments, fills if self._is_live else [one for one in fills if one.booked_ns <= seen_ns]),
            evaluation=await self._submitter.evaluate_session(self._session, owner, traded[0], dict(replay.metrics)),
            activation=self._activation.envelope,
            retries=sum(each.outage.retries for each in (*self._clients, self._submitter.retrying)),
        )

    def _another(self) -> RetryingClient:
        """A client for one more thing that goes on by itself."""
        made = self._submitter.retrying.separate()
        self._clients.append(made)
        return made


def _watermark(reply: dataservicepb.SubscribeResponse) -> int:
    return ns_from_proto(reply.watermark, "watermark")
