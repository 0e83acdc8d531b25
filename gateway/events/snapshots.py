"""The state a topic begins with, from its owner, in the envelopes its events have."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from google.protobuf.message import Message

from gateway.events.tokens import Scope
from gateway.events.topics import relayed
from gateway.peers import Peers
from gateway.submissions import wire as submissions_wire
from gateway.submissions.domain import LIVE, Record
from gateway.submissions.store import strategies as strategies_store
from qmtl.broker.v1 import account_service_pb2 as accountservicepb
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.broker.v1 import order_service_pb2 as orderservicepb
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.control.v1 import event_state_service_pb2 as eventstateservicepb
from qmtl.core.errors import NotFound
from qmtl.core.identity.canonical import digest
from qmtl.core.paging import Page
from qmtl.dag.v1 import queue_catalogue_service_pb2 as queuecatalogueservicepb
from qmtl.dag.v1 import queue_pb2 as queuepb
from qmtl.dag.v1 import sentinel_service_pb2 as sentinelservicepb
from qmtl.gateway.v1 import event_pb2 as eventpb
from qmtl.sql.database import Database
from qmtl.wire.instants import instant_to_proto
from qmtl.wire.paging import parts_of

STRATEGIES_MAX = 1000
SENTINELS_OF_MAX = 100
ORDERS_MAX = 10_000
PAGE = commonpb.PageRequest(page_size=1000)
States = list[controlpb.ControlEvent]


@dataclass(frozen=True, slots=True)
class Snapshots:
    """Asks the owners on the caller's behalf."""

    db: Database
    peers: Peers

    async def of(self, topic: eventpb.Topic, scope: Scope) -> list[eventpb.Snapshot]:
        """One topic's state, in as many snapshots as it takes. Raises what its owner raises."""
        if topic == eventpb.TOPIC_ORDERS:
            orders = await self._orders(scope)
            hashed = _digest(orders)
            return [
                eventpb.Snapshot(topic=topic, orders=part, state_hash=hashed, truncated=True, more=more)
                for part, more in parts_of(orders)
            ]
        states = [relayed(state, scope.world_id) for state in await _OWNERS[topic](self, scope)]
        hashes = [s.activation_updated.activation.state_hash for s in states if s.HasField("activation_updated")]
        partial = (eventpb.TOPIC_SENTINEL, eventpb.TOPIC_REBALANCING)  # sentinels of live strategies, no rebalances
        is_part = topic in partial or len(states) >= STRATEGIES_MAX
        truncated = is_part or any(state.world_queues_updated.truncated for state in states)
        hashed = hashes[0] if hashes else _digest(states)
        return [
            eventpb.Snapshot(topic=topic, states=part, state_hash=hashed, truncated=truncated, more=more)
            for part, more in parts_of(states)
        ]

    async def of_world(self, scope: Scope, *kinds: eventstateservicepb.EventKind) -> States:
        """States that worldservice owns."""
        request = eventstateservicepb.ListEventStatesRequest(world_id=scope.world_id, kinds=kinds)
        return [reply.state async for reply in self.peers.world_states.ListEventStates(request)]

    async def activation(self, scope: Scope) -> States:
        return await self.of_world(scope, eventstateservicepb.EVENT_KIND_ACTIVATION_UPDATED)

    async def policy(self, scope: Scope) -> States:
        """The world's default policy and its last decision, if there are any."""
        kinds = (eventstateservicepb.EVENT_KIND_POLICY_UPDATED, eventstateservicepb.EVENT_KIND_DECISION_UPDATED)
        return await self.of_world(scope, *kinds)

    async def strategies(self, scope: Scope) -> States:
        """The world's newest strategies, and the runs they were last evaluated by."""
        records = await self._records(scope)
        named = [record.strategy_id for record in records]
        if not named:
            return []
        request = eventstateservicepb.ListEventStatesRequest(
            world_id=scope.world_id, kinds=[eventstateservicepb.EVENT_KIND_EVALUATION_RUN_UPDATED], strategy_ids=named
        )
        runs = [reply.state async for reply in self.peers.world_states.ListEventStates(request)]
        return [*map(_strategy_state, records), *runs]

    async def queues(self, scope: Scope) -> States:
        """The active queues of the world as one set."""
        request = queuecatalogueservicepb.ListQueuesRequest(world_id=scope.world_id, page=PAGE)
        found = await self.peers.queues.ListQueues(request)
        payload = controlpb.WorldQueuesUpdated(
            world_id=scope.world_id,
            queues=[queue for queue in found.queues if queue.state == queuepb.QUEUE_STATE_ACTIVE],
            truncated=bool(found.page.next_page_token),
        )
        return [
            controlpb.ControlEvent(
                source="dagmanager", key=scope.world_id, revision=found.world_queues_revision, schema_version=1,
                world_queues_updated=payload,
            )
        ]  # fmt: skip

    async def sentinels(self, scope: Scope) -> States:
        """Sentinels of the world's newest live strategies."""
        live = [record for record in await self._records(scope) if record.state in LIVE][:SENTINELS_OF_MAX]
        states: States = []
        for record in live:
            request = sentinelservicepb.ListSentinelsRequest(strategy_id=record.strategy_id, page=PAGE)
            found = await self.peers.sentinels.ListSentinels(request)
            payload = controlpb.SentinelWeightUpdated(strategy_id=record.strategy_id, sentinels=found.sentinels)
            states.append(
                controlpb.ControlEvent(
                    source="dagmanager", key=record.strategy_id, revision=found.sentinel_set_revision,
                    schema_version=1, sentinel_weight_updated=payload,
                )
            )  # fmt: skip
        return states

    async def none(self, scope: Scope) -> States:
        """What belongs to accounts is read from their owner: AllocationService."""
        return []

    async def _orders(self, scope: Scope) -> Sequence[orderpb.OrderStatus]:
        """Open orders of the world's accounts, at most ORDERS_MAX."""
        accounts = accountservicepb.ListAccountsRequest(world_id=scope.world_id, page=PAGE)
        orders: list[orderpb.OrderStatus] = []
        while True:
            listed = await self.peers.accounts.ListAccounts(accounts)
            for account in listed.accounts:
                await self._orders_of(account.account, scope, orders)
            accounts.page.page_token = listed.page.next_page_token
            if not accounts.page.page_token or len(orders) >= ORDERS_MAX:
                return orders[:ORDERS_MAX]

    async def _orders_of(self, account: str, scope: Scope, orders: list[orderpb.OrderStatus]) -> None:
        """Add an account's open orders in the scope."""
        request = orderservicepb.ListOrdersRequest(
            account=account, world_id=scope.world_id, strategy_id=scope.strategy_id, open_only=True, page=PAGE
        )
        while len(orders) < ORDERS_MAX:
            listed = await self.peers.orders.ListOrders(request)
            orders.extend(listed.statuses)
            request.page.page_token = listed.page.next_page_token
            if not request.page.page_token:
                return

    async def _records(self, scope: Scope) -> Sequence[Record]:
        if scope.strategy_id:
            try:
                record = await self.db.read(lambda conn: strategies_store.get(conn, scope.strategy_id))
            except NotFound:
                return []
            return [record] if scope.world_id in record.world_ids else []
        found = await self.db.read(lambda conn: strategies_store.page(conn, scope.world_id, None, Page(STRATEGIES_MAX)))
        return found[:STRATEGIES_MAX]


_OWNERS: Mapping[eventpb.Topic, Callable[[Snapshots, Scope], Awaitable[States]]] = {
    eventpb.TOPIC_ACTIVATION: Snapshots.activation,
    eventpb.TOPIC_QUEUES: Snapshots.queues,
    eventpb.TOPIC_POLICY: Snapshots.policy,
    eventpb.TOPIC_STRATEGY: Snapshots.strategies,
    eventpb.TOPIC_SENTINEL: Snapshots.sentinels,
    eventpb.TOPIC_REBALANCING: Snapshots.none,
}


def _digest(messages: Iterable[Message]) -> str:
    return digest(b"".join(message.SerializeToString(deterministic=True) for message in messages))


def _strategy_state(record: Record) -> controlpb.ControlEvent:
    payload = controlpb.StrategyStateChanged(
        strategy_id=record.strategy_id, state=submissions_wire.STATE_NUMBERS[record.state], reason=record.reason,
        message=record.message,
        world_ids=record.world_ids,
    )  # fmt: skip
    return controlpb.ControlEvent(
        source="gateway", key=record.strategy_id, revision=record.revision, schema_version=1,
        time=instant_to_proto(record.updated_at), strategy_state_changed=payload,
    )  # fmt: skip
