"""Apply requests, targets and runs with their timeline as messages of the contract, and back."""

from collections.abc import Sequence

from qmtl.core.errors import InvalidRequest, refused
from qmtl.wire.fields import require_text
from qmtl.wire.instants import instant_to_proto
from qmtl.world.v1 import apply_pb2 as applypb
from qmtl.world.v1 import apply_service_pb2 as applyservicepb
from worldservice.activation.wire import weight_from_proto, weight_to_proto
from worldservice.apply.domain.run import DRAIN, FREEZE, RESUME, ApplyRun, TimelineStep
from worldservice.apply.domain.targets import Target
from worldservice.worlds.domain.binding import require_strategy_id
from worldservice.worlds.wire import side_from_proto, side_to_proto, stage_from_proto, stage_to_proto

TARGETS_MAX = 4_000  # every strategy a world may have, on both sides


def run_id_from_proto(value: str) -> str:
    """Raises InvalidRequest (E_FIELD): run ids of resumptions, freezes and drains are made here."""
    if require_text(value, "run_id").startswith((RESUME, FREEZE, DRAIN)):
        raise refused("E_FIELD", "run_id", value, f"one that does not begin with {RESUME!r}, {FREEZE!r} or {DRAIN!r}")
    return value


def targets_from_request(request: applyservicepb.ApplyRequest) -> tuple[Target, ...] | None:
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


def target_from_proto(message: applypb.ApplyTarget, field: str) -> Target:
    """Raises InvalidRequest (E_STRATEGY_ID, E_ENUM, E_DECIMAL, E_WEIGHT)."""
    require_strategy_id(message.strategy_id)
    weight = weight_from_proto(message.weight, f"{field}.weight")
    side, stage = side_from_proto(message.side, f"{field}.side"), stage_from_proto(message.stage, f"{field}.stage")
    return Target(message.strategy_id, side, weight, stage)


def target_to_proto(target: Target) -> applypb.ApplyTarget:
    return applypb.ApplyTarget(
        strategy_id=target.strategy_id,
        side=side_to_proto(target.side),
        weight=weight_to_proto(target.weight),
        stage=stage_to_proto(target.stage),
    )


def acks_opening_from_proto(number: applypb.UnfreezeAck) -> bool:
    """Unspecified: all. Raises InvalidRequest (E_ENUM)."""
    if number not in applypb.UnfreezeAck.values():
        raise refused("E_ENUM", "unfreeze_ack", str(number), "ALL or NONE")
    return number != applypb.UNFREEZE_ACK_NONE


def apply_to_proto(run: ApplyRun, steps: Sequence[TimelineStep]) -> applypb.ApplyRun:
    """The run with its timeline."""
    return applypb.ApplyRun(
        world_id=run.world_id,
        run_id=run.run_id,
        state=f"APPLY_STATE_{run.state.name}",
        requested_by=run.requested_by,
        targets=[target_to_proto(target) for target in run.targets],
        fence_epoch=run.epoch,
        fence_confirmed=run.fence_confirmed,
        message=run.reason,
        steps=[
            applypb.ApplyStep(
                state=f"APPLY_STATE_{step.state.name}", time=instant_to_proto(step.time), message=step.detail
            )
            for step in steps
        ],
        created_at=instant_to_proto(run.created_at),
        ended_at=instant_to_proto(run.ended_at),
    )
