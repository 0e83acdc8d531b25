"""`qmtl data add`: a file of one's own as a preset of the running mesh."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from qmtl.cli.commands.data.datasets import finding_rows, show_gaps
from qmtl.cli.gateway.calls import ask
from qmtl.cli.options import Access, with_access
from qmtl.cli.show.formats import plural, span_word
from qmtl.cli.show.messages import as_dict, show_json, when
from qmtl.cli.show.tables import show_table
from qmtl.core.errors import InvalidRequest
from qmtl.data.v1 import bars_pb2 as barspb
from qmtl.data.v1 import conformance_pb2 as conformancepb
from qmtl.data.v1 import datasets_pb2 as datasetspb
from qmtl.data.v1 import file_service_pb2 as fileservicepb
from qmtl.data.v1 import file_service_pb2_grpc as filerpc
from qmtl.data.v1 import files_pb2 as filespb
from qmtl.rpc.chunks import Chunked
from qmtl.rpc.client.channel import MeshChannel
from qmtl.sdk.graph.names import parse_interval

DAY_S = 86_400
SATURDAYS_MIN = 2
FILE_BYTES_MAX = 128 * 1024 * 1024
ADD_TIMEOUT_S = 120.0  # a file of years of minutes is read, judged and sealed within the call


class Adjusted(Enum):
    """What was done to prices, as people write it."""

    RAW = "raw"
    SPLIT = "split"
    TOTAL_RETURN = "total-return"


_ADJUSTMENTS = {
    Adjusted.RAW: datasetspb.ADJUSTMENT_RAW,
    Adjusted.SPLIT: datasetspb.ADJUSTMENT_SPLIT,
    Adjusted.TOTAL_RETURN: datasetspb.ADJUSTMENT_TOTAL_RETURN,
}


class DateOrder(Enum):
    """Which of two readings of 03/04/2024 is meant."""

    DMY = "DMY"
    MDY = "MDY"


class VolumeOf(Enum):
    """What the volume counts."""

    BASE = "base"
    QUOTE = "quote"


@with_access
def add(
    access: Access,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="CSV in any dialect, Parquet or Arrow IPC.", exists=True)
    ],
    symbol: Annotated[str, typer.Option(help="Instrument, for example AAPL or BTC-USD.")],
    name: Annotated[str, typer.Option(help="The preset is file.ohlcv.NAME. Default: the file's name.")] = "",
    interval: Annotated[str, typer.Option(help="Length of a bar, for example 1d. Default: found in the file.")] = "",
    calendar: Annotated[str, typer.Option(help="When bars are expected: 24/7, or an exchange such as XNYS.")] = "24/7",
    zone: Annotated[str, typer.Option(help="Zone of times without an offset, for example America/New_York.")] = "",
    final: Annotated[bool, typer.Option("--final", help="No bar will be revised: hold none back.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Refuse the file over what would be dropped.")] = False,
    volume: Annotated[VolumeOf, typer.Option(help="The volume counts the instrument, or money.")] = VolumeOf.BASE,
    currency: Annotated[str, typer.Option(help="What prices are in, for example USD.")] = "",
    adjustment: Annotated[Adjusted, typer.Option(help="What was done to prices.")] = Adjusted.RAW,
    origin: Annotated[str, typer.Option(help="Where the data comes from.")] = "",
    licence: Annotated[str, typer.Option(help="Under which terms it may be used.")] = "",
    dates: Annotated[DateOrder | None, typer.Option(help="Settles dates such as 03/04/2024.")] = None,
    decimal: Annotated[str, typer.Option(help="Settles numbers such as 42,000: the decimal sign.")] = "",
    fingerprint: Annotated[str, typer.Option(help="Refuse the file unless its bars have this fingerprint.")] = "",
) -> None:
    """Make a file of bars a preset, replayable at once: its columns, formats and faults are found and told."""
    said = filespb.AddedFile(
        name=name or _name_of(file),
        file_name=file.name,
        symbol=symbol,
        final=final,
        strictness=conformancepb.CONFORMANCE_STRICTNESS_STRICT
        if strict
        else conformancepb.CONFORMANCE_STRICTNESS_TOLERANT,
        volume_unit=barspb.VOLUME_UNIT_QUOTE if volume is VolumeOf.QUOTE else barspb.VOLUME_UNIT_BASE,
        terms=datasetspb.DatasetTerms(
            calendar=calendar,
            time_zone=zone,
            price_currency=currency,
            adjustment=_ADJUSTMENTS[adjustment],
            origin=origin,
            licence=licence,
        ),
        date_order=dates.value if dates else "",
        decimal=decimal,
    )
    if interval:
        said.interval.seconds = parse_interval(interval)
    addition = filespb.FileAddition(file=said, content=_content(file), expected_fingerprint=fingerprint)
    reply = ask(access, _Adding(addition))
    if access.json:
        show_json(as_dict(reply))
    else:
        _show(reply, strict=strict)
    if reply.refusal:
        raise typer.Exit(1)


class _Adding:
    """The call that adds a file."""

    def __init__(self, addition: filespb.FileAddition) -> None:
        self._addition = addition

    async def __call__(self, channel: MeshChannel) -> fileservicepb.AddFileResponse:
        chunks = Chunked(fileservicepb.AddFileRequest, self._addition)
        return await filerpc.FileServiceStub(channel).AddFile(chunks, timeout=ADD_TIMEOUT_S)


def _content(file: Path) -> bytes:
    """The compressed file. Raises InvalidRequest (E_FILE_LAYOUT) if it is too long or cannot be read."""
    try:
        size = file.stat().st_size
        if size > FILE_BYTES_MAX:
            raise InvalidRequest("E_FILE_LAYOUT", f"{file} has {size} bytes, want at most {FILE_BYTES_MAX}")
        return zlib.compress(file.read_bytes())
    except OSError as error:
        raise InvalidRequest("E_FILE_LAYOUT", f"{file}: {error.strerror}") from error


def never_on_saturdays(
    report: conformancepb.ConformanceReport, first_bars: Sequence[barspb.Bar], calendar: str
) -> bool:
    """Whether a file that was read as one of bars at all times has none on any of two Saturdays or more."""
    if calendar != "24/7" or not first_bars:
        return False
    first_s = first_bars[0].open_time.seconds
    length_s = first_bars[0].close_time.seconds - first_s
    saturdays = whole_saturdays(first_s, first_s + report.bars_expected * length_s)
    missing = sum(whole_saturdays(gap.range.start.seconds, gap.range.end.seconds) for gap in report.gaps)
    return missing == saturdays >= SATURDAYS_MIN


def whole_saturdays(start_s: int, end_s: int) -> int:
    """How many Saturdays (UTC) lie whole between two times in seconds since the epoch, which was a Thursday."""
    return max(0, (end_s // DAY_S - 3) // 7 + (2 - -(-start_s // DAY_S)) // 7 + 1)


def _name_of(file: Path) -> str:
    """The file's name as one of a preset."""
    plain = "".join(sign if sign.isascii() and sign.isalnum() else "-" for sign in file.stem.lower())
    return plain.strip("-")[:64] or "bars"


def _show(reply: fileservicepb.AddFileResponse, *, strict: bool) -> None:
    report, layout = reply.report, reply.layout
    typer.echo(
        f"read: {layout.separator}{f', decimal {layout.decimal}' if layout.decimal else ''}, times {layout.time}; "
        + ", ".join(f"{ours} from {theirs}" for ours, theirs in sorted(layout.columns.items()))
        + (f"; not read: {', '.join(layout.unread)}" if layout.unread else "")
    )
    typer.echo(
        f"found: {report.rows_in:,} rows in, {report.rows_out:,} bars out, "
        f"{report.bars_present:,} of {report.bars_expected:,} expected bars are there ({report.data_ratio:.2%})"
    )
    found = [finding for finding in report.findings if finding.rows]
    show_table("findings", ("rule", "action", "rows", "blocking", "for example"), finding_rows(found))
    if report.gaps:
        show_gaps(report.gaps, every=False)
        if never_on_saturdays(report, reply.first_bars, reply.preset.terms.calendar):
            typer.echo("no bar on a Saturday: an exchange's? --calendar XNYS, or its own code, expects none there")
    if reply.refusal:
        hint = "; without --strict what is wrong is dropped or flagged" if strict else ""
        typer.echo(f"refused: {reply.refusal}{hint}")
        return
    values = ("open", "high", "low", "close", "volume")
    rows = [(when(bar.open_time), *(f"{getattr(bar, value):g}" for value in values)) for bar in reply.first_bars]
    show_table("first bars", ("opens", *values), rows)
    if report.bars_held_back:
        held = plural(report.bars_held_back, "newest bar")
        typer.echo(f"held back: the {held}, which may still be revised; --final serves all")
    preset = reply.preset
    typer.echo(f"sealed: {plural(reply.artifact.rows, 'bar')}, {reply.artifact.dataset_fingerprint}")
    typer.echo(
        f"ready: {preset.name}, {preset.symbol} {span_word(preset.interval.seconds)}, "
        f"calendar {preset.terms.calendar}; qmtl world create WORLD --preset {preset.name}"
    )
    typer.echo(
        f"to trade it: `qmtl instruments show {preset.symbol}`; what that does not know, qmtl.toml names (docs/data.md)"
    )
