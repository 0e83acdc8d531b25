"""`qmtl data ensure`: fetch what is missing of a dataset from its exchange or service, told as it goes."""

from __future__ import annotations

from typing import Annotated

import typer

from qmtl.cli.commands.data.datasets import Dataset
from qmtl.cli.gateway.calls import ask
from qmtl.cli.options import Access, with_access
from qmtl.cli.show.formats import instant, plural, share_bar
from qmtl.cli.show.messages import as_dict, show_json
from qmtl.core.errors import Unavailable
from qmtl.data.v1 import coverage_service_pb2 as coverageservicepb
from qmtl.data.v1 import coverage_service_pb2_grpc as coveragerpc
from qmtl.rpc.client.channel import MeshChannel


@with_access
def ensure(
    access: Access,
    dataset: Dataset,
    start: Annotated[str, typer.Option("--start", help="First open, for example 2026-01-01.")],
    end: Annotated[str, typer.Option("--end", help="End of the range; what has not closed yet is left out.")],
) -> None:
    """Fetch what is missing of a range from its exchange or service, and seal it. Breaking off keeps what came."""
    request = coverageservicepb.EnsureCoverageRequest(dataset=dataset)
    request.range.start.FromDatetime(instant(start, "--start"))
    request.range.end.FromDatetime(instant(end, "--end"))

    async def follow(channel: MeshChannel) -> coverageservicepb.EnsureCoverageResponse:
        last: coverageservicepb.EnsureCoverageResponse | None = None
        call = coveragerpc.CoverageServiceStub(channel).EnsureCoverage(request)
        try:
            async for last in call:
                if not access.json:
                    typer.echo(f"\r{bar(last)}", nl=False, err=True)
        finally:
            call.cancel()
        if last is None or not last.done:
            raise Unavailable("E_STREAM_ENDED", "the answers ended before the range was done")
        return last

    found = ask(access, follow)
    if access.json:
        show_json(as_dict(found))
    else:
        _show(found)
    if found.failures:
        raise typer.Exit(1)


def _show(found: coverageservicepb.EnsureCoverageResponse) -> None:
    typer.echo("", err=True)
    missing = found.bars_expected - found.bars_present - found.bars_empty
    typer.echo(f"{found.bars_present:,} bars, {found.bars_empty:,} that never were, {missing:,} missing")
    for failure in found.failures:
        typer.echo(f"  {failure}")
    if found.bars_held_back:
        typer.echo(
            f"{plural(found.bars_held_back, 'newest bar')} not sealed yet, as the exchange may still revise them"
        )
    typer.echo(f"sealed as {found.artifact_fingerprint}" if found.artifact_fingerprint else "nothing was sealed")


def bar(stand: coverageservicepb.EnsureCoverageResponse) -> str:
    """One line that says how far a range is."""
    settled = stand.bars_present + stand.bars_empty
    share = settled / stand.bars_expected if stand.bars_expected else 1.0
    windows = f"{stand.windows_done} of {stand.windows} windows" if stand.windows else "nothing to fetch"
    return f"{share_bar(share)} {windows}"
