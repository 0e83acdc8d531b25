"""The live guard: what can cause live trading needs metadata `x-allow-live: true` and an operator of the world.

A second look at the door, not the authority: worldservice decides. Narrowing never needs it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from google.protobuf.message import Message

from gateway.admission.live_consent import Metadata, allows_live, require_live_consent
from gateway.peers import Peers
from qmtl.broker.v1 import account_service_pb2 as accountservicepb
from qmtl.broker.v1 import manual_order_service_pb2 as manualorderservicepb
from qmtl.core.errors import NotFound
from qmtl.core.roles import Role
from qmtl.rpc.auth.roles import WorldRoles
from qmtl.rpc.server.requests import decoded
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from qmtl.world.v1 import apply_service_pb2 as applyservicepb
from qmtl.world.v1 import binding_pb2 as bindingpb
from qmtl.world.v1 import binding_service_pb2 as bindingservicepb
from qmtl.world.v1 import campaign_service_pb2 as campaignservicepb
from qmtl.world.v1 import world_service_pb2 as worldservicepb

PAPER = "paper"
GUARDED: Mapping[str, type[Message]] = {
    f"/qmtl.world.v1.{name}": message
    for name, message in (
        ("WorldService/CreateWorld", worldservicepb.CreateWorldRequest),
        ("WorldService/UpdateWorld", worldservicepb.UpdateWorldRequest),
        ("ActivationService/SetActivation", activationservicepb.SetActivationRequest),
        ("BindingService/ApproveLive", bindingservicepb.ApproveLiveRequest),
        ("ApplyService/Apply", applyservicepb.ApplyRequest),
        ("ApplyService/Resume", applyservicepb.ResumeRequest),
        ("CampaignService/ApplyPromotion", campaignservicepb.ApplyPromotionRequest),
        ("CampaignService/AdvanceCanary", campaignservicepb.AdvanceCanaryRequest),
        ("CampaignService/ApprovePromotion", campaignservicepb.ApprovePromotionRequest),
    )
} | {"/qmtl.broker.v1.ManualOrderService/SubmitManualOrder": manualorderservicepb.SubmitManualOrderRequest}


@dataclass(frozen=True, slots=True)
class LiveGuard:
    """Looks into the few forwarded writes that can lead to live trading."""

    peers: Peers
    roles: WorldRoles

    async def check(self, method: str, body: bytes, metadata: Metadata) -> None:
        """Raises PermissionDenied (E_LIVE_GUARD, E_ROLE_REQUIRED), Unavailable, InvalidRequest."""
        if method not in GUARDED or allows_live(metadata):
            return
        request = decoded(GUARDED[method].FromString, body)
        if await self._can_cause_live(request):
            require_live_consent(metadata, method.rpartition("/")[2])

    async def _can_cause_live(self, request: Message) -> bool:
        match request:
            case worldservicepb.CreateWorldRequest() | worldservicepb.UpdateWorldRequest():
                return request.allow_live
            case bindingservicepb.ApproveLiveRequest():
                return True
            case activationservicepb.SetActivationRequest():
                return any(map(_widens, request.changes)) and await self._is_live(request.world_id)
            case applyservicepb.ApplyRequest() | applyservicepb.ResumeRequest():
                return await self._is_live(request.world_id)
            case manualorderservicepb.SubmitManualOrderRequest():
                return not request.order.reduce_only and await self._is_at_live_venue(request.order.account)
            case _:
                return True

    async def _is_at_live_venue(self, account: str) -> bool:
        """Whether orders of an account leave for a real venue. What is unknown is brokerage's to refuse."""
        try:
            found = await self.peers.accounts.GetAccount(accountservicepb.GetAccountRequest(account=account))
        except NotFound:
            return False
        return found.account.venue != PAPER

    async def _is_live(self, world_id: str) -> bool:
        """Whether a world may trade live. What is unknown is worldservice's to refuse."""
        await self.roles.require_known(world_id, Role.OPERATOR)
        try:
            found = await self.peers.worlds.GetWorld(worldservicepb.GetWorldRequest(world_id=world_id))
        except NotFound:
            return False
        return found.world.allow_live


def _widens(change: activationpb.ActivationChange) -> bool:
    """Whether a change could let more through than before."""
    narrows_only = (
        not (change.HasField("active") and change.active)
        and not (change.HasField("freeze") and not change.freeze)
        and not (change.HasField("drain") and not change.drain)
        and not (change.HasField("weight") and change.weight != "0")
        and not change.HasField("valid_from")
        and not change.HasField("valid_until")
        and change.stage in (bindingpb.STAGE_UNSPECIFIED, bindingpb.STAGE_BACKTEST)
    )
    return not narrows_only
