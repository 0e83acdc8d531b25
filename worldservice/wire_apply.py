"""Proto and domain, both ways: what an apply is asked, a run with its timeline, approvals to go live."""

import math
from collections.abc import Sequence

from qmtl.core.errors import InvalidRequest
from qmtl.wire.words import instant_from_proto, refused
from qmtl.world.v1 import service_pb2 as servicepb
from qmtl.world.v1 import world_pb2 as worldpb
from worldservice.applies import TimelineStep
from worldservice.domain.apply import RESUME, ApplyRun
from worldservice.domain.freezing import Target
from worldservice.domain.records import Approval
from worldservice.domain.worlds import require_strategy_id
from worldservice.wire import instant_to_proto, require_text
from worldservice.wire_activation import side_from_proto, side_to_proto
from worldservice.wire_worlds import stage_from_proto, stage_to_proto

TARGETS_MAX = 4_000  # every strategy a world may have, on both sides


def run_id_from_proto(value: str) -> str:
    """Raises InvalidRequest (E_FIELD): run ids of resumptions are made here."""
    if require_text(value, "run_id").startswith(RESUME):
        raise refused("E_FIELD", "run_id", value, f"one that does not begin with {RESUME!r}")
    return value


def targets_from_request(request: servicepb.ApplyRequest) -> tuple[Target, ...] | None:
    """The targets of the plan; None: take them from the pipeline. Raises InvalidRequest (E_PLAN, E_WEIGHT, E_ENUM)."""
    if request.WhichOneof("plan") == "evaluate" and request.evaluate:
        return None
    if request.WhichOneof("plan") != "targets":
        raise InvalidRequest("E_PLAN", "plan is not set, want targets or evaluate = true")
    rows = request.targets.targets
    if len(rows) > TARGETS_MAX:
        raise refused("E_PLAN", "targets", f"{len(rows)} entries", f"at most {TARGETS_MAX}")
    targets = tuple(target_from_proto(row, f"targets[{index}]") for index, row in enumerate(rows))
    if len({(target.strategy_id, target.side) for target in targets}) != len(targets):
        raise InvalidRequest("E_PLAN", "targets names a strategy and side twice, want each once")
    return targets


def target_from_proto(message: worldpb.ApplyTarget, field: str) -> Target:
    require_strategy_id(message.strategy_id)
    if not (math.isfinite(message.weight) and 0.0 <= message.weight <= 1.0):
        raise refused("E_WEIGHT", f"{field}.weight", str(message.weight), "a number from 0 to 1")
    side, stage = side_from_proto(message.side, f"{field}.side"), stage_from_proto(message.stage, f"{field}.stage")
    return Target(message.strategy_id, side, message.weight, stage)


def target_to_proto(target: Target) -> worldpb.ApplyTarget:
    return worldpb.ApplyTarget(
        strategy_id=target.strategy_id,
        side=side_to_proto(target.side),
        weight=target.weight,
        stage=stage_to_proto(target.stage),
    )


def acks_opening_from_proto(number: worldpb.UnfreezeAck) -> bool:
    """Unspecified: all. Raises InvalidRequest (E_ENUM)."""
    if number not in worldpb.UnfreezeAck.values():
        raise refused("E_ENUM", "unfreeze_ack", str(number), "ALL or NONE")
    return number != worldpb.UNFREEZE_ACK_NONE


def apply_to_proto(run: ApplyRun, steps: Sequence[TimelineStep]) -> worldpb.ApplyRun:
    return worldpb.ApplyRun(
        world_id=run.world_id,
        run_id=run.run_id,
        state=f"APPLY_STATE_{run.state.name}",
        requested_by=run.requested_by,
        targets=[target_to_proto(target) for target in run.targets],
        epoch=run.epoch,
        fence_confirmed=run.fence_confirmed,
        reason=run.reason,
        steps=[
            worldpb.ApplyStep(
                state=f"APPLY_STATE_{step.state.name}", time=instant_to_proto(step.time), detail=step.detail
            )
            for step in steps
        ],
        created_at=instant_to_proto(run.created_at),
        ended_at=instant_to_proto(run.ended_at),
    )


def approval_to_proto(approval: Approval) -> worldpb.LiveApproval:
    return worldpb.LiveApproval(
        world_id=approval.world_id,
        strategy_id=approval.strategy_id,
        approved_by=approval.approved_by,
        reason=approval.reason,
        approved_at=instant_to_proto(approval.approved_at),
        expires_at=instant_to_proto(approval.expires_at),
        revoked_at=instant_to_proto(approval.revoked_at),
    )


def approval_from_proto(message: worldpb.LiveApproval) -> Approval:
    expires, revoked = message.HasField("expires_at"), message.HasField("revoked_at")
    return Approval(
        world_id=message.world_id,
        strategy_id=message.strategy_id,
        approved_by=message.approved_by,
        reason=message.reason,
        approved_at=instant_from_proto(message.approved_at, "approved_at"),
        expires_at=instant_from_proto(message.expires_at, "expires_at") if expires else None,
        revoked_at=instant_from_proto(message.revoked_at, "revoked_at") if revoked else None,
    )
