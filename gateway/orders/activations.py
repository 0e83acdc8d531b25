"""What this gateway may let pass: worlds' activations held under a gate session that lapses by itself.

The session is trusted until (send time of the last good renewal + ttl - margin) on a clock that runs during suspend.
Events make changes quick; renewals make them certain: each answers every activation this gateway has not applied. What
worldservice answers with counts also below our revision, for its store may have been restored; under a lower epoch than
was applied here it has forgotten a narrowing, and the world's gate shuts.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import structlog

from gateway.orders.domain import HOLD_ASKED, WorldGate
from gateway.orders.wire import gate_from_proto
from gateway.peers import Peers
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.core.clock import Clock
from qmtl.core.errors import DeadlineExceeded, Exhausted, InvalidRequest, NotFound, NotReady, QmtlError, Unavailable
from qmtl.gateway.v1 import gateway_status_service_pb2 as gatewaystatuspb
from qmtl.wire.contexts import MODE_NUMBERS
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import gate_service_pb2 as gateservicepb

RETRY_S = 0.5
WARN_LOOK_S = 15.0
RENEWALS_PER_TTL = 4
log = structlog.stdlib.get_logger("qmtl.gateway.orders")


class HeldActivations:
    """The gate session and the activations applied under it."""

    def __init__(self, peers: Peers, clock: Clock, gateway_id: str, margin_s: float) -> None:
        self.gateway_id = gateway_id
        self.boot_id = uuid.uuid4().hex
        self._peers = peers
        self._clock = clock
        self._margin_s = margin_s
        self._ttl_s = 0.0
        self._valid_until = float("-inf")
        self._gates: dict[str, WorldGate] = {}
        self._revisions: dict[str, int] = {}  # as worldservice counts them, also of activations we cannot read
        self._epochs: dict[str, int] = {}  # the highest applied since this process began, whatever was opened since
        self._holds_asked: frozenset[str] = frozenset()  # worlds, as of the last renewal
        self._renewing = asyncio.Lock()
        self._hurry = asyncio.Event()
        self._trouble = ""  # why the last renewal failed
        self._unacked: dict[str, gateservicepb.AckActivationRequest] = {}  # the newest of each world
        self._to_ack = asyncio.Event()

    @property
    def session_valid(self) -> bool:
        """Whether the gate session can be relied on now."""
        return self._clock.monotonic() < self._valid_until

    def gate(self, world_id: str) -> WorldGate | None:
        """The world's activation as applied here."""
        return self._gates.get(world_id)

    def hold_asked(self, world_id: str) -> bool:
        """Whether a freeze or drain of the world is asked for that worldservice could not write."""
        return world_id in self._holds_asked

    def closes_at(self, world_id: str) -> datetime | None:
        """When the world's active entries next leave their window, None when nothing of it ends by the clock."""
        gate = self._gates.get(world_id)
        return None if gate is None else gate.closes_at(self._clock.now())

    async def run_warnings(self, ahead: timedelta) -> None:
        """For ever: warn once before each end of a window."""
        told: dict[str, datetime] = {}
        while True:
            for world_id in tuple(self._gates):
                at = self.closes_at(world_id)
                if at is not None and at - self._clock.now() <= ahead and told.get(world_id) != at:
                    told[world_id] = at
                    log.warning("window_closing", world_id=world_id, closes_at=at.isoformat())
            await self._clock.sleep(WARN_LOOK_S)

    async def run(self) -> None:
        """Keep the session for ever; while it cannot be kept the gates are shut."""
        while True:
            try:
                await self.renew()
            except QmtlError as error:
                self._trouble = error.message
                log.warning("gate_session_not_renewed", reason=error.reason, error=error.message)
            wait = self._ttl_s / RENEWALS_PER_TTL if self.session_valid else RETRY_S
            try:
                async with asyncio.timeout(wait):
                    await self._hurry.wait()
            except TimeoutError:
                continue

    async def renew(self) -> None:
        """Renew or open the session and apply what changed. Raises what the call raised."""
        async with self._renewing:
            self._hurry.clear()
            sent = self._clock.monotonic()
            if self._ttl_s == 0.0:
                await self._open(sent)
                return
            held = dict(self._revisions)
            request = gateservicepb.RenewGateSessionRequest(
                gateway_id=self.gateway_id, boot_id=self.boot_id, applied_world_revisions=held
            )
            try:
                answer = await self._peers.gates.RenewGateSession(request, timeout=self._ttl_s / 2)
            except NotFound:
                await self._open(sent)
                return
            except NotReady as error:
                if error.reason == "E_GATEWAY_ID_IN_USE":
                    raise
                # E_GATE_LAGS: what we hold is too old to go on with; start from every snapshot.
                await self._open(sent)
                return
            self._accept(answer.activations, held)
            self._trust(sent, answer)
            if answer.more:
                self._hurry.set()

    async def run_acks(self) -> None:
        """For ever: tell worldservice of what was applied and asks for it, again until it has heard."""
        while True:
            await self._to_ack.wait()
            self._to_ack.clear()
            waits = False
            for world_id, request in tuple(self._unacked.items()):
                settled = await self._ack(request)
                waits |= not settled
                if settled and self._unacked.get(world_id) is request:
                    del self._unacked[world_id]
            if self._unacked:  # one that came while an older one was told waits for nobody
                self._to_ack.set()
            if waits:
                await self._clock.sleep(RETRY_S)

    def on_event(self, event: controlpb.ControlEvent) -> None:
        """Apply a change that follows on ours at once; anything else makes us ask."""
        activation = event.activation_updated.activation
        held, epoch = self._revisions.get(activation.world_id, 0), self._epochs.get(activation.world_id, 0)
        if activation.previous_world_revision == held:
            self._accept([activation], {})
        elif activation.world_revision > held or activation.fence_epoch > epoch:
            self._hurry.set()

    def status(self) -> list[gatewaystatuspb.GateStatus]:
        """Every world's gate as it stands, for GetStatus."""
        return [self._status(gate) for gate in self._gates.values()]

    def _status(self, gate: WorldGate) -> gatewaystatuspb.GateStatus:
        valid, closes_at = self.session_valid, gate.closes_at(self._clock.now())
        asked = HOLD_ASKED.reason if self.hold_asked(gate.world_id) else ""
        status = gatewaystatuspb.GateStatus(
            world_id=gate.world_id,
            world_revision=gate.revision,
            fence_epoch=gate.epoch,
            effective_mode=MODE_NUMBERS[gate.mode],
            session_valid=valid,
            message=asked if valid else f"the gate session has lapsed: shut; {self._trouble}".removesuffix("; "),
        )
        if closes_at is not None:
            status.closes_at.FromDatetime(closes_at)
        return status

    async def _ack(self, request: gateservicepb.AckActivationRequest) -> bool:
        """Whether the matter is settled. A session worldservice does not know is opened anew, and all comes again."""
        try:
            await self._peers.gates.AckActivation(request, timeout=self._ttl_s or RETRY_S)
        except (Unavailable, DeadlineExceeded, Exhausted) as error:
            log.warning("ack_waits", world_id=request.world_id, reason=error.reason)
            return False
        except QmtlError as error:
            log.warning("ack_refused", world_id=request.world_id, reason=error.reason, error=error.message)
        return True

    async def _open(self, sent: float) -> None:
        request = gateservicepb.OpenGateSessionRequest(gateway_id=self.gateway_id, boot_id=self.boot_id)
        held = dict(self._revisions)
        answer = await self._peers.gates.OpenGateSession(request, timeout=5.0)
        for world_id, revision in held.items():
            if self._revisions[world_id] == revision:  # else an event came meanwhile, and is newer than the answer
                del self._revisions[world_id]
                self._gates.pop(world_id, None)
        self._accept(answer.activations, held)
        self._trust(sent, answer)
        if answer.more:
            self._hurry.set()
        log.info("gate_session_open", gateway_id=self.gateway_id, worlds=len(self._gates), ttl_s=self._ttl_s)

    def _accept(self, activations: Iterable[activationpb.ActivationEnvelope], asked: Mapping[str, int]) -> None:
        """Apply activations; `asked`: the revisions held when they were asked for, none for those that came unasked."""
        for activation in activations:
            world_id = activation.world_id
            held = self._revisions.get(world_id, 0)
            if activation.world_revision < held and asked.get(world_id) != held:
                continue  # older than what came while the answer was on its way
            self._revisions[world_id] = activation.world_revision
            self._apply(activation)
            if activation.requires_ack:
                self._unacked[world_id] = gateservicepb.AckActivationRequest(
                    world_id=world_id, run_id=activation.run_id, apply_sequence=activation.apply_sequence,
                    gateway_id=self.gateway_id, boot_id=self.boot_id,
                )  # fmt: skip
                self._to_ack.set()

    def _apply(self, activation: activationpb.ActivationEnvelope) -> None:
        """Hold the world's gate to an activation; one that is unreadable or of a lower epoch shuts it."""
        world_id, epoch = activation.world_id, self._epochs.get(activation.world_id, 0)
        self._gates.pop(world_id, None)
        if activation.fence_epoch < epoch:
            log.error("epoch_went_back", world_id=world_id, epoch=activation.fence_epoch, applied=epoch)
            return
        self._epochs[world_id] = activation.fence_epoch
        try:
            self._gates[world_id] = gate_from_proto(activation)
        except InvalidRequest as error:
            log.error("activation_unreadable", world_id=world_id, reason=error.reason, error=error.message)

    def _trust(
        self, sent: float, answer: gateservicepb.OpenGateSessionResponse | gateservicepb.RenewGateSessionResponse
    ) -> None:
        self._holds_asked = frozenset(answer.shut_world_ids)
        self._ttl_s = answer.session.ttl.ToTimedelta().total_seconds()
        self._valid_until = sent + self._ttl_s - self._margin_s
        self._trouble = ""
