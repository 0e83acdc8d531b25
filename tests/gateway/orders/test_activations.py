"""What a gateway holds as activations come, go back and cross each other: worldservice played, no wire."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import cast

import pytest

from gateway.orders.activations import HeldActivations
from gateway.peers import Peers
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.core.clock import Clock, SystemClock, VirtualClock
from qmtl.core.errors import NotFound, NotReady
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import gate_pb2 as gatepb
from qmtl.world.v1 import gate_service_pb2 as gateservicepb
from tests.support.waiting import eventually


def activation(revision: int, epoch: int) -> activationpb.ActivationEnvelope:
    return activationpb.ActivationEnvelope(
        world_id="w", world_revision=revision, previous_world_revision=revision - 1, fence_epoch=epoch,
        effective_mode="EFFECTIVE_MODE_PAPER",
    )  # fmt: skip


def event(revision: int, epoch: int) -> controlpb.ControlEvent:
    changed = controlpb.ActivationUpdated(activation=activation(revision, epoch))
    return controlpb.ControlEvent(source="worldservice", key="w", activation_updated=changed)


class World:
    """worldservice's gate sessions over one activation, which a test replaces as a restored backup would.

    `crossing` runs while an answer is on its way.
    """

    def __init__(self, revision: int, epoch: int) -> None:
        self.current = activation(revision, epoch)
        self.known = False
        self.to_shut: list[str] = []
        self.crossing: Callable[[], None] = lambda: None

    async def OpenGateSession(
        self,
        request: gateservicepb.OpenGateSessionRequest,
        timeout: float,  # noqa: ASYNC109 - the stub's signature
    ) -> gateservicepb.OpenGateSessionResponse:
        self.known = True
        answer = gateservicepb.OpenGateSessionResponse(
            session=_session(), activations=[self.current], shut_world_ids=self.to_shut
        )
        self.crossing()
        return answer

    async def RenewGateSession(
        self,
        request: gateservicepb.RenewGateSessionRequest,
        timeout: float,  # noqa: ASYNC109 - the stub's signature
    ) -> gateservicepb.RenewGateSessionResponse:
        if not self.known:
            raise NotFound("E_GATE_SESSION_UNKNOWN", "no session")
        news = [self.current] if request.applied_world_revisions.get("w") != self.current.world_revision else []
        self.crossing()
        return gateservicepb.RenewGateSessionResponse(session=_session(), activations=news, shut_world_ids=self.to_shut)


def _session() -> gatepb.GateSession:
    session = gatepb.GateSession()
    session.ttl.FromSeconds(5)
    return session


async def opened(world: World, clock: Clock | None = None) -> HeldActivations:
    peers = cast("Peers", SimpleNamespace(gates=world, activation=world))
    gates = HeldActivations(peers, clock or SystemClock(), "g-1", 0.5)
    await gates.renew()
    return gates


def held(gates: HeldActivations) -> tuple[int, int] | None:
    gate = gates.gate("w")
    return None if gate is None else (gate.revision, gate.epoch)


async def test_a_restored_store_counts_although_its_revision_is_lower() -> None:
    world = World(7, 3)
    gates = await opened(world)
    world.current = activation(5, 3)
    await gates.renew()
    assert held(gates) == (5, 3)
    gates.on_event(event(6, 4))
    assert held(gates) == (6, 4)


@pytest.mark.parametrize("session_kept", [True, False])
async def test_a_store_that_forgot_a_narrowing_shuts_the_world_until_it_is_above_it(session_kept: bool) -> None:
    world = World(7, 3)
    gates = await opened(world)
    world.current, world.known = activation(5, 2), session_kept
    await gates.renew()
    assert held(gates) is None
    gates.on_event(event(6, 2))  # still below: a widening under the old epoch opens nothing
    assert held(gates) is None
    world.current = activation(9, 2)  # nor does a count that has overtaken ours
    await gates.renew()
    assert held(gates) is None
    gates.on_event(event(10, 4))
    assert held(gates) == (10, 4)


async def test_an_epoch_above_ours_is_asked_for_whatever_its_revision() -> None:
    world = World(7, 3)
    gates = await opened(world)
    running = asyncio.create_task(gates.run())
    try:
        await asyncio.sleep(0)
        world.current = activation(5, 4)
        gates.on_event(event(5, 4))
        await eventually(lambda: held(gates) == (5, 4), timeout_s=1.0)  # the next renewal by itself is later
    finally:
        running.cancel()


@pytest.mark.parametrize("session_kept", [True, False])
async def test_an_answer_older_than_an_event_that_overtook_it_changes_nothing(session_kept: bool) -> None:
    world = World(6, 3)
    gates = await opened(world)
    world.current = activation(7, 3)
    await gates.renew()
    world.current, world.known = activation(5, 3), session_kept  # what a lagging answer says
    world.crossing = lambda: gates.on_event(event(8, 4))
    await gates.renew()
    assert held(gates) == (8, 4)


async def test_a_session_is_trusted_from_when_it_was_asked_for_and_lapses_by_itself() -> None:
    """Not from when the answer came: worldservice counts from when it was asked, and frees the world after that."""
    world, clock = World(7, 3), VirtualClock(datetime(2026, 1, 5, tzinfo=UTC))
    world.crossing = lambda: clock.advance(2)
    gates = await opened(world, clock)
    assert gates.session_valid
    clock.advance(2.4)
    assert gates.session_valid
    clock.advance(0.1)
    assert not gates.session_valid
    assert held(gates) == (7, 3)  # what it holds may be right still; nobody may go by it
    world.crossing = lambda: None
    await gates.renew()
    assert gates.session_valid


async def test_an_id_that_is_used_elsewhere_is_told_in_the_status_and_not_fought_for() -> None:
    class Used(World):
        async def RenewGateSession(
            self,
            request: gateservicepb.RenewGateSessionRequest,
            timeout: float,  # noqa: ASYNC109 - the stub's signature
        ) -> gateservicepb.RenewGateSessionResponse:
            self.known = False
            raise NotReady("E_GATEWAY_ID_IN_USE", "gateway.gateway_id is 'g-1', which another has")

    world, clock = Used(7, 3), VirtualClock(datetime(2026, 1, 1, tzinfo=UTC))
    gates = await opened(world, clock)
    running = asyncio.create_task(gates.run())
    try:
        await eventually(lambda: not world.known)
        await asyncio.sleep(0)
        clock.advance(5.0)
        (shown,) = gates.status()
        assert (shown.session_valid, world.known) == (False, False)
        assert shown.message == "the gate session has lapsed: shut; gateway.gateway_id is 'g-1', which another has"
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_what_did_not_fit_into_the_answer_is_asked_for_at_once() -> None:
    class Crowded(World):
        """Its first answer has no room for the world's activation."""

        async def OpenGateSession(
            self,
            request: gateservicepb.OpenGateSessionRequest,
            timeout: float,  # noqa: ASYNC109 - the stub's signature
        ) -> gateservicepb.OpenGateSessionResponse:
            self.known = True
            return gateservicepb.OpenGateSessionResponse(session=_session(), more=True)

    crowded = Crowded(7, 3)
    gates = await opened(crowded)
    assert gates.session_valid
    assert held(gates) is None  # shut until it is heard of
    running = asyncio.create_task(gates.run())
    try:
        await eventually(lambda: held(gates) == (7, 3), timeout_s=1.0)  # the next renewal by itself is later
    finally:
        running.cancel()


@pytest.mark.parametrize("session_kept", [True, False])
async def test_a_hold_that_is_asked_for_shuts_its_world_and_no_other_until_it_is_asked_no_more(
    session_kept: bool,
) -> None:
    world = World(7, 3)
    gates = await opened(world)
    assert [gates.hold_asked("w"), gates.status()[0].message] == [False, ""]
    world.to_shut, world.known = ["w"], session_kept
    await gates.renew()
    assert [gates.session_valid, gates.hold_asked("w"), gates.hold_asked("other")] == [True, True, False]
    assert "freeze or drain of the world is asked for" in gates.status()[0].message
    world.to_shut, world.known = [], session_kept
    await gates.renew()
    assert not gates.hold_asked("w")
