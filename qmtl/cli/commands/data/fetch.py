"""`qmtl data fetch`: bars of a dataset into a file, with the truth about what was delivered."""

from __future__ import annotations

import io
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qmtl.cli.commands.data.datasets import Dataset, show_gaps
from qmtl.cli.gateway.calls import ask
from qmtl.cli.options import Access, with_access
from qmtl.cli.show.formats import instant, plural, share_bar
from qmtl.cli.show.listings import shown_as_json
from qmtl.cli.show.messages import enum_word, when
from qmtl.cli.show.output_files import write_whole
from qmtl.cli.show.tables import show_table
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import Unavailable, refused
from qmtl.data.v1 import artifact_service_pb2 as artifactservicepb
from qmtl.data.v1 import artifact_service_pb2_grpc as artifactrpc
from qmtl.data.v1 import coverage_pb2 as coveragepb
from qmtl.data.v1 import data_service_pb2 as dataservicepb
from qmtl.data.v1 import data_service_pb2_grpc as datarpc
from qmtl.rpc.client.channel import MeshChannel

if TYPE_CHECKING:
    import polars as pl

FETCH_TIMEOUT_S = 600.0
SHOWN = 5


class Mode(Enum):
    """What is done about missing bars, as people write it."""

    PRESET = "preset"
    FAIL_FAST = "fail-fast"
    AUTO_BACKFILL = "auto-backfill"
    PARTIAL = "partial"
    SEAMLESS = "seamless"


_MODES = {
    Mode.PRESET: dataservicepb.FETCH_MODE_UNSPECIFIED,
    Mode.FAIL_FAST: dataservicepb.FETCH_MODE_FAIL_FAST,
    Mode.AUTO_BACKFILL: dataservicepb.FETCH_MODE_AUTO_BACKFILL,
    Mode.PARTIAL: dataservicepb.FETCH_MODE_PARTIAL,
    Mode.SEAMLESS: dataservicepb.FETCH_MODE_SEAMLESS,
}


@with_access
def fetch(
    access: Access,
    dataset: Dataset,
    start: Annotated[str, typer.Option("--from", "--start", help="First open. Default: as far as the data goes.")] = "",
    end: Annotated[str, typer.Option("--to", "--end", help="Before this time.")] = "",
    out: Annotated[Path | None, typer.Option(help="File to write: .parquet or .csv.")] = None,
    mode: Annotated[Mode, typer.Option(help="What is done about missing bars.")] = Mode.PRESET,
) -> None:
    """Fetch the sealed bars of a range, and say exactly what was delivered."""
    if out is not None and out.suffix not in (".parquet", ".csv"):
        raise refused("E_FIELD", "--out", out.name, "a name that ends in .parquet or .csv")
    request = dataservicepb.FetchRequest(dataset=dataset, mode=_MODES[mode])
    if start:
        request.range.start.FromDatetime(instant(start, "--from"))
    if end:
        request.range.end.FromDatetime(instant(end, "--to"))
    rows, metadata = ask(access, _Fetching(request, progress=not access.json))
    if out is not None:
        write_whole(out, _content(rows, out.suffix), "--out")
    if shown_as_json(access, metadata):
        return
    _show(rows, metadata, out)


class _Fetching:
    """The call, with a line on how far it is."""

    def __init__(self, request: dataservicepb.FetchRequest, *, progress: bool) -> None:
        self._request = request
        self._progress = progress
        self._whole = commonpb.TimeRange()

    async def __call__(self, channel: MeshChannel) -> tuple[pl.DataFrame, dataservicepb.FetchMetadata]:
        import polars as pl

        if self._progress:
            self._whole = await self._range(channel)
        parts: list[pl.DataFrame] = []
        metadata: dataservicepb.FetchMetadata | None = None
        call = datarpc.DataServiceStub(channel).Fetch(self._request, timeout=FETCH_TIMEOUT_S)
        try:
            async for reply in call:
                if reply.WhichOneof("part") == "metadata":
                    metadata = reply.metadata
                else:
                    parts.append(pl.read_ipc_stream(io.BytesIO(reply.arrow_ipc)))
                    self._tell(parts)
        finally:
            call.cancel()
        if metadata is None:
            raise Unavailable("E_STREAM_ENDED", "the answers ended before it was said what was delivered")
        if self._progress:
            typer.echo(f"\r{share_bar(1.0)} {metadata.rows:,} bars", err=True)
        return (pl.concat(parts) if parts else pl.DataFrame()), metadata

    async def _range(self, channel: MeshChannel) -> commonpb.TimeRange:
        """The range asked for, where it is open that of the newest artifact."""
        whole, asked = commonpb.TimeRange(), self._request.range
        if not (asked.HasField("start") and asked.HasField("end")):
            newest = artifactservicepb.ListArtifactsRequest(
                dataset=self._request.dataset, page=commonpb.PageRequest(page_size=1)
            )
            for artifact in (await artifactrpc.ArtifactServiceStub(channel).ListArtifacts(newest)).artifacts:
                whole.CopyFrom(artifact.range)
        whole.MergeFrom(asked)
        return whole

    def _tell(self, parts: Sequence[pl.DataFrame]) -> None:
        if not self._progress:
            return
        first_s, last_s = self._whole.start.seconds, self._whole.end.seconds
        reached_s = parts[-1]["open_time"].dt.epoch("s").item(-1)
        share = (reached_s - first_s) / (last_s - first_s) if last_s > first_s else 0.0
        rows = sum(len(part) for part in parts)
        typer.echo(f"\r{share_bar(min(1.0, max(0.0, share)))} {rows:,} bars", nl=False, err=True)


def _content(rows: pl.DataFrame, suffix: str) -> bytes:
    out = io.BytesIO()
    if suffix == ".csv":
        rows.write_csv(out, datetime_format="%Y-%m-%dT%H:%M:%S%.fZ")
    else:
        rows.write_parquet(out, compression="zstd")
    return out.getvalue()


def _show(rows: pl.DataFrame, metadata: dataservicepb.FetchMetadata, out: Path | None) -> None:
    typer.echo(
        f"{metadata.dataset}: {plural(metadata.rows, 'bar')}, {metadata.coverage_ratio:.2%} of those expected from "
        f"{when(metadata.requested.start)} to {when(metadata.requested.end)}, {metadata.resolved_ratio:.2%} resolved"
    )
    if metadata.rows:
        typer.echo(f"delivered {when(metadata.delivered.start)} to {when(metadata.delivered.end)}, ", nl=False)
        typer.echo(f"{metadata.flagged_rows:,} flagged, as of {when(metadata.as_of)}")
        typer.echo(f"fingerprint {metadata.dataset_fingerprint}")
    outcome = enum_word(dataservicepb.SlaOutcome, metadata.sla)
    phase = f" ({enum_word(dataservicepb.SlaPhase, metadata.sla_phase)})" if metadata.sla_phase else ""
    lowered = f", {enum_word(dataservicepb.FetchDowngrade, metadata.downgrade)}" if metadata.downgrade else ""
    spent = ", ".join(
        f"{enum_word(dataservicepb.SlaPhase, one.phase)} {one.spent.ToMicroseconds() / 1e6:.3f} s of "
        f"{one.budget.ToMicroseconds() / 1e6:g} s"
        for one in metadata.phases
    )
    typer.echo(f"service level {metadata.sla_preset}: {outcome}{phase}{lowered}; {spent}")
    if metadata.backfilling:
        typer.echo("what is missing is being fetched meanwhile")
    totals: dict[str, int] = {}
    for span in metadata.spans:
        word = enum_word(coveragepb.SpanSource, span.source)
        totals[word] = totals.get(word, 0) + span.rows
    typer.echo("from " + (", ".join(f"{word} {count:,}" for word, count in totals.items()) or "nowhere"))
    if metadata.gaps:
        show_gaps(metadata.gaps, every=False)
    if out is not None:
        typer.echo(f"written to {out}")
    elif len(rows):
        shown = rows if len(rows) <= 2 * SHOWN else rows.head(SHOWN).vstack(rows.tail(SHOWN))
        table = [(str(row[0]), *(f"{value:g}" for value in row[1:6])) for row in shown.iter_rows()]
        show_table("bars", ("opens", "open", "high", "low", "close", "volume"), table)
