"""`qmtl world verify-run`: a run's numbers computed anew from its order list or books, beside those stored."""

from __future__ import annotations

from typing import Annotated

import typer

from qmtl.cli.gateway.calls import ask
from qmtl.cli.gateway.ids import whole_strategy_id
from qmtl.cli.gateway.pages import listed
from qmtl.cli.options import Access, StrategyId, WorldId, with_access
from qmtl.cli.show.formats import plural
from qmtl.cli.show.listings import shown_as_json
from qmtl.core.errors import NotFound
from qmtl.rpc.client.channel import MeshChannel
from qmtl.world.v1 import evaluation_pb2 as evaluationpb
from qmtl.world.v1 import evaluation_service_pb2 as evaluationservicepb
from qmtl.world.v1 import evaluation_service_pb2_grpc as evaluationrpc

TIMEOUT_S = 150.0
RUNS_MAX = 1_000


@with_access
def verify_run(
    access: Access,
    world_id: WorldId,
    strategy_id: StrategyId,
    run_id: Annotated[str, typer.Option("--run", help="Which run. Default: the newest that was computed.")] = "",
) -> None:
    """Compute a run anew, from sealed data and orders to its numbers; exit 1 where one differs."""
    strategy_id = whole_strategy_id(access, strategy_id)

    async def call(channel: MeshChannel) -> evaluationservicepb.VerifyEvaluationRunResponse:
        stub = evaluationrpc.EvaluationServiceStub(channel)
        name = run_id or await _newest(stub, world_id, strategy_id)
        request = evaluationservicepb.VerifyEvaluationRunRequest(
            world_id=world_id, strategy_id=strategy_id, run_id=name
        )
        return await stub.VerifyEvaluationRun(request, timeout=TIMEOUT_S)

    found = ask(access, call)
    if not shown_as_json(access, found):
        typer.echo("\n".join(_lines(found)))
    if found.differences:
        raise typer.Exit(1)


def _lines(found: evaluationservicepb.VerifyEvaluationRunResponse) -> list[str]:
    run = found.run
    ground = run.order_list or f"books of {run.paper_books.account}"
    lines = [
        f"run {run.run_id} revision {run.run_revision} of {run.strategy_id} in {run.world_id}",
        f"  data      {run.dataset_fingerprint}",
        f"  orders    {ground}",
        f"  account   {found.terms}",
    ]
    if found.terms != found.terms_now:
        lines.append(
            f"  now       {found.terms_now}: the policy asks for other terms since, so other numbers are expected"
        )
    if not found.differences:
        return [*lines, f"confirmed: {plural(len(found.metrics), 'number')} computed anew, equal to the last digit"]
    said = f"{plural(len(found.differences), 'difference')} to what is stored"
    return [*lines, said, *(f"  {line}" for line in found.differences)]


async def _newest(stub: evaluationrpc.EvaluationServiceAsyncStub, world_id: str, strategy_id: str) -> str:
    """The newest run of a strategy whose numbers were computed. Raises NotFound (E_RUN_UNKNOWN)."""
    request = evaluationservicepb.ListEvaluationRunsRequest(world_id=world_id, strategy_id=strategy_id)
    runs: list[evaluationpb.EvaluationRun] = await listed(
        stub.ListEvaluationRuns, request, lambda reply: reply.runs, RUNS_MAX
    )
    for run in runs:
        if run.evidence_state == evaluationpb.EVIDENCE_STATE_REPLAYED:
            return run.run_id
    text = f"no run of {strategy_id} in world {world_id} was computed from orders or books"
    raise NotFound("E_RUN_UNKNOWN", text, hint="evaluate it with an order list, as `qmtl submit` does")
