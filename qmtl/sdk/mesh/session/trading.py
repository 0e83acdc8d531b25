"""Acting on the commands of a session's bars, and knowing what an earlier process of the session did."""

from __future__ import annotations

from collections.abc import Iterable

from brokerage.domain.orders.order import Owner
from qmtl.sdk.engine.streaming import Emission
from qmtl.sdk.execution.decide import Command, DecisionLogic
from qmtl.sdk.execution.port import DeniedOrder, conclude_async
from qmtl.sdk.mesh.retrying import RetryingClient
from qmtl.sdk.mesh.session.execution import FINAL_DENIALS, MeshExecution
from qmtl.sdk.mesh.session.order_events import list_orders


class SessionTrading:
    """The decisions of one strategy in one session."""

    def __init__(self, logic: DecisionLogic, execution: MeshExecution) -> None:
        self._logic = logic
        self._execution = execution
        self._sent: frozenset[str] = frozenset()
        self._final: frozenset[str] = frozenset()

    async def recall(self, retrying: RetryingClient, owner: Owner) -> None:
        """Learn what an earlier process of this session has ordered."""
        statuses = await list_orders(retrying, owner)
        self._sent = frozenset(s.order.client_order_id for s in statuses)
        self._final = frozenset(s.order.client_order_id for s in statuses if not s.denial or s.denial in FINAL_DENIALS)

    def watch(self, emissions: Iterable[Emission]) -> None:
        """Commands of bars that were played before this process joined: remember what was acted on, send nothing."""
        for command in self._commands(emissions):
            if self._logic.order_name(command) in self._final:
                self._logic.remember(command)

    async def act(self, emissions: Iterable[Emission]) -> list[DeniedOrder]:
        """Act on the commands of a live bar; what an earlier process sent for it stands. What was denied."""
        fresh: list[Command] = []
        for command in self._commands(emissions):
            name = self._logic.order_name(command)
            if name in self._final:
                self._logic.remember(command)
            if name not in self._sent:
                fresh.append(command)
        self._logic.weigh(self._execution.weights())
        return await conclude_async(self._logic.decide(fresh), self._execution.answer)

    def _commands(self, emissions: Iterable[Emission]) -> Iterable[Command]:
        for emission in emissions:
            if self._logic.follows(emission.vertex.node_id):
                target, price = emission.row
                yield Command(emission.vertex.node_id, emission.time_ns, target, price)
