"""Acting on the commands of a session's bars, and knowing what an earlier process of the session did."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import groupby

import numpy as np

from brokerage.domain.market.bars import bars_from_doubles
from brokerage.domain.market.instrument import Instrument
from brokerage.domain.orders.order import Owner
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.core.instants import NS_PER_S
from qmtl.data.v1 import datasets_pb2 as datasetspb
from qmtl.sdk.engine.streaming import Emission
from qmtl.sdk.execution.decide import Command, DecisionLogic
from qmtl.sdk.execution.in_step import CommandsInStep
from qmtl.sdk.execution.legs import CLOSING
from qmtl.sdk.execution.port import DeniedOrder, conclude_async
from qmtl.sdk.mesh.data_clock import Step
from qmtl.sdk.mesh.retrying import RetryingClient
from qmtl.sdk.mesh.session.account.equity import SessionBook
from qmtl.sdk.mesh.session.execution import FINAL_DENIALS, MeshExecution
from qmtl.sdk.mesh.session.order_events import list_orders

WORKED = frozenset({orderpb.ORDER_EVENT_KIND_ACCEPTED, orderpb.ORDER_EVENT_KIND_FILLED})
"""Events of orders that a venue has taken."""
NEVER_WORKED = frozenset({orderpb.ORDER_STATE_DENIED, orderpb.ORDER_STATE_REJECTED})


class StateInStep:
    """The nodes of a strategy that read what it holds, in step with its session.

    What was held at a close is asked of the account once the venue has seen that bar. For bars that were played without
    this process, before it joined or while it was cut off, it follows from the fills.
    """

    def __init__(self, in_step: CommandsInStep, traded: Mapping[str, datasetspb.Preset]) -> None:
        self._in_step = in_step
        self._traded = traded
        self._past: SessionBook | None = None
        self._books: Callable[[], Awaitable[SessionBook]] | None = None
        self._instruments: Mapping[str, Instrument] = {}

    def begin(self, books: Callable[[], Awaitable[SessionBook]], instruments: Mapping[str, Instrument]) -> None:
        """`books` makes the books of all fills until now, none of them stepped."""
        self._books, self._instruments = books, instruments

    def commands(self, emissions: Iterable[Emission]) -> Iterator[Command]:
        """The commands of instants, by what was held at the close before."""
        ordered = sorted(emissions, key=lambda one: one.time_ns)
        for time_ns, together in groupby(ordered, key=lambda one: one.time_ns):
            fresh = {one.vertex.node_id: list(one.row) for one in together}
            rows = {node_id: row for node_id, row in fresh.items() if node_id in self._in_step.reads}
            yield from self._in_step.at(time_ns, rows)

    async def watch(self, step: Step) -> None:
        """What was held at a close that was played without this process."""
        if self._books is None:
            return
        if self._past is None:
            self._past = await self._books()
        closed = []
        for symbol, preset in self._traded.items():
            if (bar := step.closed.get(preset.name)) is not None:
                times, columns = np.array([bar.open_ns], dtype=np.int64), np.array([bar.row], dtype=np.float64).T
                interval_ns = preset.interval.seconds * NS_PER_S
                made = bars_from_doubles(self._instruments[symbol], times, interval_ns, tuple(columns))
                closed += [(symbol, one) for one in made]
        if closed:
            self._past.step(step.close_ns, closed)
        for symbol, _ in closed:
            self._in_step.holdings.observe(symbol, self._past.holding(symbol))

    async def observe(self, step: Step, execution: MeshExecution) -> None:
        """What is held at the close of a live bar."""
        self._past = None  # it does not know the fills of what is sent from here on
        for symbol, preset in self._traded.items():
            if preset.name in step.closed:
                self._in_step.holdings.observe(symbol, await execution.holding(symbol, step.close_ns))


class SessionTrading:
    """The decisions of one strategy in one session. `state`: None where no node reads what it holds. `standing`: the
    commands before the session, where the policy says `on_promote: keep`; None elsewhere.
    """

    def __init__(
        self,
        logic: DecisionLogic,
        execution: MeshExecution,
        state: StateInStep | None = None,
        standing: Iterable[Command] | None = None,
    ) -> None:
        self._logic = logic
        self._execution = execution
        self._state = state
        self._sent: frozenset[str] = frozenset()
        self._final: frozenset[str] = frozenset()
        self._worked: list[str] = []  # orders of all versions, since the last decision
        self._rejected: dict[str, str] = {}  # what the venue said, by order
        self._told: set[str] = set()  # of these, whose rejection was told
        self._keeps = standing is not None
        self._nodes = frozenset(logic.command_nodes)
        logic.begin()
        for command in standing or ():
            logic.standing.stand(command.node_id, command.target, command.time_ns)

    def hear(self, event: orderpb.OrderEvent) -> None:
        """An event of an order of the strategy, also of its other versions."""
        if event.kind in WORKED:
            self._worked.append(event.client_order_id)
        elif event.kind == orderpb.ORDER_EVENT_KIND_REJECTED:
            self._rejected.setdefault(event.client_order_id, event.message)

    def compare(self, statuses: Sequence[orderpb.OrderStatus]) -> None:
        """All orders, newest first, of which no events have come."""
        worked = [one.order.client_order_id for one in statuses if one.state not in NEVER_WORKED]
        self._worked += reversed(worked)
        for status in statuses:
            if status.state == orderpb.ORDER_STATE_REJECTED:
                self._rejected.setdefault(status.order.client_order_id, status.message)

    async def recall(self, retrying: RetryingClient, owner: Owner) -> None:
        """Learn what an earlier process of this session has ordered."""
        statuses = await list_orders(retrying, owner)
        self._sent = frozenset(s.order.client_order_id for s in statuses)
        self._logic.recall(self._sent)
        rejected = {s.order.client_order_id for s in statuses if s.state == orderpb.ORDER_STATE_REJECTED}
        taken = {s.order.client_order_id for s in statuses if not s.denial or s.denial in FINAL_DENIALS}
        self._final = frozenset(taken - rejected)
        self.compare(statuses)
        self._told |= rejected

    async def watch(self, step: Step) -> None:
        """A bar that was played without this process: remember what was acted on, send nothing."""
        for command in self._commands(step.emissions):
            self._remember(command)
        if self._state is not None:
            await self._state.watch(step)

    async def act(self, step: Step) -> list[DeniedOrder]:
        """Act on the commands of a live bar; what an earlier process sent for it stands. What was denied."""
        fresh: list[Command] = []
        for command in self._commands(step.emissions):
            self._remember(command)
            if self._logic.order_name(command) not in self._sent:
                fresh.append(command)
        self._logic.weigh(self._execution.weights())
        self._logic.route(self._execution.routes())
        if self._keeps:
            self._logic.standing.promotion = self._execution.promotion()
        worked, self._worked = self._worked, []
        for name in worked:
            self._logic.hear(name)
        denied = self._rejections(step.close_ns)
        denied += await conclude_async(self._logic.decide(fresh), self._execution.answer)
        if self._state is not None:
            await self._state.observe(step, self._execution)
        return denied

    def _rejections(self, time_ns: int) -> list[DeniedOrder]:
        """What the venue has rejected since the last decision; once each."""
        fresh = {name: said for name, said in self._rejected.items() if name not in self._told}
        self._told.update(fresh)
        told = [self._logic.reject(name, said, time_ns) for name, said in fresh.items()]
        return [one for one in told if one is not None]

    def _remember(self, command: Command) -> None:
        """What an earlier process sent for a command is acted on."""
        self._logic.standing.stand(command.node_id, command.target, command.time_ns)
        name = self._logic.order_name(command)
        if name in self._final:
            self._logic.remember(command)
        elif name and name + CLOSING in self._final:
            self._logic.remember_closing(command)

    def _commands(self, emissions: Iterable[Emission]) -> Iterable[Command]:
        return commands_of(emissions, self._nodes, self._state)


class Standing:
    """The commands that a strategy stands at before its session, by node; nothing is held then."""

    def __init__(self, nodes: Collection[str], state: StateInStep | None) -> None:
        self._nodes, self._state = nodes, state
        self._last: dict[str, Command] = {}

    @property
    def commands(self) -> Iterable[Command]:
        """The last command of each node."""
        return self._last.values()

    def warm_up(self, emissions: Sequence[Emission]) -> None:
        """Take what an instant before the session made."""
        for command in commands_of(emissions, self._nodes, self._state):
            self._last[command.node_id] = command


def commands_of(emissions: Iterable[Emission], nodes: Collection[str], state: StateInStep | None) -> Iterator[Command]:
    """The commands among what nodes made; `state`: of a strategy that reads what it holds."""
    if state is not None:
        yield from state.commands(emissions)
        return
    for emission in emissions:
        if emission.vertex.node_id in nodes:
            target, price = emission.row
            yield Command(emission.vertex.node_id, emission.time_ns, target, price)
