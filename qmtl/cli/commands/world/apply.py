"""`qmtl world apply|resume`: move a world to other targets in two phases, and lead a frozen one out."""

from __future__ import annotations

import re
import uuid
from typing import Annotated

import typer

from qmtl.cli.gateway.calls import ask, live_metadata
from qmtl.cli.gateway.ids import whole_strategy_id
from qmtl.cli.options import Access, AllowLive, WorldId, with_access
from qmtl.cli.show.messages import as_dict, enum_word, show_json, when
from qmtl.cli.show.tables import show_table
from qmtl.core.errors import InvalidRequest
from qmtl.rpc.client.channel import MeshChannel
from qmtl.rpc.client.streams import scoped
from qmtl.world.v1 import apply_pb2 as applypb
from qmtl.world.v1 import apply_service_pb2 as applyservicepb
from qmtl.world.v1 import apply_service_pb2_grpc as applyrpc

APPLY_S = 120.0


_TARGET = re.compile(r"([^:=@\s]+):(long|short)=([0-9.]+)(?:@(backtest|paper|live))?")


@with_access
def apply(
    access: Access,
    world_id: WorldId,
    target: Annotated[
        list[str] | None, typer.Option(help="STRATEGY:long|short=WEIGHT[@backtest|paper|live]. Repeatable.")
    ] = None,
    from_policy: Annotated[bool, typer.Option("--evaluate", help="Take the targets from the decision.")] = False,
    run_id: Annotated[str, typer.Option("--run", help="Idempotency key; the same again resumes it.")] = "",
    etag: Annotated[str, typer.Option(help="Etag of the activation it was planned against.")] = "",
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Follow the run to its end.")] = True,
    allow_live: AllowLive = False,
) -> None:
    """Change what a world runs, in two phases: freeze, switch, unfreeze."""
    if bool(target) == from_policy:
        raise InvalidRequest("E_APPLY_OPTIONS", "give either --target or --evaluate")
    request = applyservicepb.ApplyRequest(world_id=world_id, run_id=run_id or f"cli-{uuid.uuid4().hex[:12]}", etag=etag)
    if from_policy:
        request.evaluate = True
    else:
        request.targets.targets.extend(_target(access, text) for text in target or [])
    _run(access, request, wait=wait, allow_live=allow_live)


@with_access
def resume(
    access: Access,
    world_id: WorldId,
    run_id: Annotated[str, typer.Argument(help="Freeze, drain or apply that holds it; a refused activate names it.")],
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Follow the run to its end.")] = True,
    allow_live: AllowLive = False,
) -> None:
    """Lead a world out of a freeze, a drain or an apply that left it frozen: open what stood before."""
    _run(access, applyservicepb.ResumeRequest(world_id=world_id, run_id=run_id), wait=wait, allow_live=allow_live)


def _run(
    access: Access, request: applyservicepb.ApplyRequest | applyservicepb.ResumeRequest, *, wait: bool, allow_live: bool
) -> None:
    """Start or resume a run, follow it, show it; exit code 1 when it did not complete."""

    async def call(channel: MeshChannel) -> applypb.ApplyRun:
        return await _follow(channel, request, wait=wait, allow_live=allow_live)

    run = ask(access, call)
    if access.json:
        show_json(as_dict(run))
    else:
        _show_run(run)
    if run.state in (applypb.APPLY_STATE_ROLLED_BACK, applypb.APPLY_STATE_FROZEN):
        raise typer.Exit(1)


async def _follow(
    channel: MeshChannel,
    request: applyservicepb.ApplyRequest | applyservicepb.ResumeRequest,
    *,
    wait: bool,
    allow_live: bool,
) -> applypb.ApplyRun:
    stub, metadata = applyrpc.ApplyServiceStub(channel), live_metadata(is_meant=allow_live)
    if isinstance(request, applyservicepb.ApplyRequest):
        run = (await stub.Apply(request, timeout=APPLY_S, metadata=metadata)).run
    else:
        run = (await stub.Resume(request, timeout=APPLY_S, metadata=metadata)).run
    if wait:
        asked = applyservicepb.WatchApplyRunRequest(world_id=request.world_id, run_id=run.run_id)
        with scoped(stub.WatchApplyRun(asked, timeout=APPLY_S)) as replies:
            async for reply in replies:
                run = reply.run
    return run


def _show_run(run: applypb.ApplyRun) -> None:
    state = enum_word(applypb.ApplyState, run.state)
    fence = "confirmed" if run.fence_confirmed else "not confirmed"
    title = f"apply {run.run_id} of {run.world_id}: {state}, epoch {run.fence_epoch}, fence {fence}"
    rows = [(enum_word(applypb.ApplyState, step.state), when(step.time), step.message or "-") for step in run.steps]
    show_table(title, ("step", "time", "detail"), rows)
    if run.message:
        typer.echo(f"because {run.message}")


def _target(access: Access, text: str) -> applypb.ApplyTarget:
    found = _TARGET.fullmatch(text)
    if not found:
        raise InvalidRequest("E_TARGET_OPTION", f"--target is {text!r}, want STRATEGY:long|short=WEIGHT[@STAGE]")
    strategy_id, side, weight, stage = found.groups()
    try:
        share = float(weight)
    except ValueError:
        raise InvalidRequest("E_TARGET_OPTION", f"weight is {weight!r}, want a number in 0..1") from None
    return applypb.ApplyTarget(
        strategy_id=whole_strategy_id(access, strategy_id),
        side=f"SIDE_{side.upper()}",
        weight=f"{share:g}",
        stage=f"STAGE_{stage.upper()}" if stage else None,
    )
