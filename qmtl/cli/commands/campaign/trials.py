"""`qmtl campaign trials`: tell a world the daily returns of every variant that was tried."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from blake3 import blake3

from qmtl.cli.gateway.calls import ask
from qmtl.cli.gateway.ids import whole_strategy_id
from qmtl.cli.options import Access, StrategyId, WorldId, with_access
from qmtl.cli.show.listings import shown_as_json
from qmtl.cli.show.tables import show_pairs
from qmtl.core.errors import refused
from qmtl.rpc.chunks import Chunked
from qmtl.rpc.client.channel import MeshChannel
from qmtl.world.v1 import campaign_pb2 as campaignpb
from qmtl.world.v1 import campaign_service_pb2 as campaignservicepb
from qmtl.world.v1 import campaign_service_pb2_grpc as campaignrpc


@with_access
def trials(
    access: Access,
    world_id: WorldId,
    strategy_id: StrategyId,
    file: Annotated[Path, typer.Argument(help="Parquet or CSV: a column of simple daily returns per variant.")],
) -> None:
    """Store the daily returns of all variants that were tried before this strategy was chosen."""
    body = _arrow(file)
    told = campaignpb.Trials(
        world_id=world_id,
        strategy_id=whole_strategy_id(access, strategy_id),
        returns_arrow=body,
        trials_hash=f"blake3:{blake3(body).hexdigest()}",
    )

    async def call(channel: MeshChannel) -> campaignpb.TrialsSummary:
        chunks = Chunked(campaignservicepb.PutTrialsRequest, told, [world_id])
        return (await campaignrpc.CampaignServiceStub(channel).PutTrials(chunks)).summary

    found = ask(access, call)
    if shown_as_json(access, found):
        return
    known = found.HasField("overfitting_probability")
    pairs = [
        ("variants", str(found.variant_count)),
        ("days", str(found.day_count)),
        ("overfitting", f"{found.overfitting_probability:.4f}" if known else "unknown: want 10 variants, 160 days"),
        ("hash", found.trials_hash),
    ]
    show_pairs(f"trials of {told.strategy_id} in {world_id}", pairs)


def _arrow(file: Path) -> bytes:
    """The table as an Arrow IPC stream. Raises InvalidRequest (E_FIELD)."""
    import pyarrow as pa
    from pyarrow import csv, parquet

    try:
        table = parquet.read_table(file) if file.suffix == ".parquet" else csv.read_csv(file)
        columns = {name: table.column(name).cast(pa.float64()) for name in table.column_names}
    except (OSError, pa.ArrowException) as error:
        raise refused("E_FIELD", "file", file, f"a table of numbers: {str(error)[:120]}") from None
    made = pa.table(columns)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, made.schema) as writer:
        writer.write_table(made)
    return bytes(sink.getvalue().to_pybytes())
