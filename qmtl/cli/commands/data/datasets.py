"""`qmtl data`: which data there is, where it has gaps, and what conformance did to it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from qmtl.cli.gateway.calls import ask
from qmtl.cli.gateway.pages import listed
from qmtl.cli.options import Access, with_access
from qmtl.cli.show import conformance_page
from qmtl.cli.show.drawing.calendar_map import MonthRow, map_text, months_of
from qmtl.cli.show.drawing.calendar_picture import draw
from qmtl.cli.show.formats import instant, plural
from qmtl.cli.show.listings import show_listing, shown_as_json
from qmtl.cli.show.messages import enum_word, when
from qmtl.cli.show.output_files import write_whole
from qmtl.cli.show.tables import show_table
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import NotReady
from qmtl.data.v1 import catalogue_service_pb2 as catalogueservicepb
from qmtl.data.v1 import catalogue_service_pb2_grpc as cataloguerpc
from qmtl.data.v1 import conformance_pb2 as conformancepb
from qmtl.data.v1 import coverage_pb2 as coveragepb
from qmtl.data.v1 import coverage_service_pb2 as coverageservicepb
from qmtl.data.v1 import coverage_service_pb2_grpc as coveragerpc
from qmtl.data.v1 import datasets_pb2 as datasetspb
from qmtl.rpc.client.channel import MeshChannel

LIST_MAX = 1000
GAPS_SHOWN = 20
Dataset = Annotated[str, typer.Argument(help="Dataset id or a preset's name, for example demo.btc.15m.")]


@with_access
def list_datasets(access: Access) -> None:
    """List the datasets of the catalogue: their range, state and coverage."""
    request = catalogueservicepb.ListDatasetsRequest()
    found = ask(
        access,
        lambda channel: listed(
            cataloguerpc.CatalogueServiceStub(channel).ListDatasets, request, lambda reply: reply.datasets, LIST_MAX
        ),
    )
    show_listing(access, found, "datasets", ("dataset", "state", "rows", "range", "there", "detail"), _dataset_rows)


def _dataset_rows(found: Sequence[datasetspb.Dataset]) -> list[tuple[str, ...]]:
    return [
        (
            one.dataset,
            enum_word(datasetspb.DatasetState, one.state),
            f"{one.rows:,}",
            f"{when(one.range.start)} to {when(one.range.end)}",
            f"{one.data_ratio:.2%}",
            one.message or "-",
        )
        for one in found
    ]


@with_access
def coverage(
    access: Access,
    dataset: Dataset,
    start: Annotated[str, typer.Option(help="From this time on. Default: as far as the data goes.")] = "",
    end: Annotated[str, typer.Option(help="Before this time.")] = "",
    every: Annotated[bool, typer.Option("--all", help="List every gap.")] = False,
    calendar: Annotated[bool, typer.Option("--map", help="A calendar of days in place of lists.")] = False,
    picture: Annotated[Path | None, typer.Option(help="Also draw the calendar into this picture file.")] = None,
) -> None:
    """Show which spans of a dataset are there, and its gaps with their reasons."""
    request = coverageservicepb.GetCoverageRequest(dataset=dataset)
    if start:
        request.range.start.FromDatetime(instant(start, "--start"))
    if end:
        request.range.end.FromDatetime(instant(end, "--end"))

    reply = ask(access, partial(_coverage, request))
    months = _months(reply)
    if picture is not None:
        draw(months, f"{dataset}: {reply.data_ratio:.2%} of the expected bars", picture)
    if shown_as_json(access, reply):
        return
    typer.echo(f"{dataset}: {reply.data_ratio:.2%} of the expected bars are there, {reply.resolved_ratio:.2%} resolved")
    if reply.bars_held_back:
        typer.echo(f"{plural(reply.bars_held_back, 'newer bar')} held back, as the source may still revise them")
    if calendar:
        typer.echo(map_text(months))
        return
    show_table("spans", ("from", "to"), [(when(span.start), when(span.end)) for span in reply.spans])
    show_gaps(reply.gaps, every=every)


async def _coverage(
    request: coverageservicepb.GetCoverageRequest, channel: MeshChannel
) -> coverageservicepb.GetCoverageResponse:
    """All pages as one answer."""
    stub = coveragerpc.CoverageServiceStub(channel)
    whole = reply = await stub.GetCoverage(request)
    while reply.page.next_page_token:
        request.page.page_token = reply.page.next_page_token
        reply = await stub.GetCoverage(request)
        whole.spans.extend(reply.spans)
        whole.gaps.extend(reply.gaps)
    whole.ClearField("page")
    return whole


@with_access
def conformance(
    access: Access,
    dataset: Dataset,
    every: Annotated[bool, typer.Option("--all", help="List every gap.")] = False,
    html: Annotated[Path | None, typer.Option(help="Also write the report, with a map of coverage, as a page.")] = None,
) -> None:
    """Show what was wrong with a dataset when it came in, and what was done about it."""

    async def call(channel: MeshChannel) -> tuple[conformancepb.ConformanceReport, list[MonthRow], str]:
        request = catalogueservicepb.GetConformanceReportRequest(dataset=dataset)
        report = (await cataloguerpc.CatalogueServiceStub(channel).GetConformanceReport(request)).report
        return report, *(await served(dataset, channel) if html is not None else ([], ""))

    report, months, unserved = ask(access, call)
    if html is not None:
        write_whole(html, conformance_page.page(report, months, unserved).encode(), "--html")
    if shown_as_json(access, report):
        return
    strictness = enum_word(conformancepb.ConformanceStrictness, report.strictness)
    typer.echo(f"{report.dataset}: {report.rows_in:,} rows in, {report.rows_out:,} bars out, {strictness}")
    typer.echo(
        f"{report.bars_present:,} of {report.bars_expected:,} expected bars are there ({report.data_ratio:.2%}), "
        f"{report.resolved_ratio:.2%} resolved, {report.bars_held_back} held back, rules {report.rule_version}"
    )
    canary = f", {report.canary_schema_version} in canary" if report.canary_schema_version else ""
    typer.echo(f"schema {report.schema_version or 'none'}{canary}")
    show_table("findings", ("rule", "action", "rows", "blocking", "for example"), finding_rows(report.findings))
    show_gaps(report.gaps, every=every)
    if html is not None:
        typer.echo(f"written to {html}")


async def served(dataset: str, channel: MeshChannel) -> tuple[list[MonthRow], str]:
    """The days of what is served of a dataset, or why nothing is: what was refused has a report, and no coverage."""
    try:
        return _months(await _coverage(coverageservicepb.GetCoverageRequest(dataset=dataset), channel)), ""
    except NotReady as error:
        return [], error.message


def finding_rows(findings: Sequence[conformancepb.ConformanceFinding]) -> list[tuple[str, ...]]:
    """One line per rule that found something."""
    return [
        (
            enum_word(conformancepb.ConformanceRule, one.rule),
            enum_word(conformancepb.ConformanceAction, one.action),
            f"{one.rows:,}",
            "yes" if one.blocking else "no",
            sample_word(one.samples[0]) if one.samples else "-",
        )
        for one in findings
    ]


def sample_word(sample: conformancepb.ConformanceSample) -> str:
    """One place where a rule found something, with its time where it has one."""
    return f"{when(sample.open_time)} {sample.message}" if sample.HasField("open_time") else sample.message


def _months(reply: coverageservicepb.GetCoverageResponse) -> list[MonthRow]:
    """The days of an answer about coverage."""

    def seconds(span: commonpb.TimeRange) -> tuple[int, int]:
        return span.start.seconds, span.end.seconds

    empty = [gap for gap in reply.gaps if gap.kind == coveragepb.GAP_KIND_VERIFIED_EMPTY]
    missing = [gap for gap in reply.gaps if gap.kind != coveragepb.GAP_KIND_VERIFIED_EMPTY]
    return months_of(
        map(seconds, reply.spans), (seconds(gap.range) for gap in missing), (seconds(gap.range) for gap in empty)
    )


def show_gaps(gaps: Sequence[coveragepb.Gap], *, every: bool) -> None:
    """The longest gaps, or all."""
    shown = list(gaps) if every else sorted(gaps, key=lambda gap: -gap.bars)[:GAPS_SHOWN]
    more = "" if len(shown) == len(gaps) else f", the longest {len(shown)}"
    rows = [
        (when(gap.range.start), when(gap.range.end), f"{gap.bars:,}", enum_word(coveragepb.GapKind, gap.kind))
        for gap in shown
    ]
    show_table(f"gaps: {len(gaps)}{more}", ("from", "to", "bars", "why"), rows)
