"""Orders that were denied, for people: by rule, with counts, times and the numbers of the last one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from qmtl.sdk.execution.run_record import RunResult
from qmtl.sdk.reports.documents import iso

if TYPE_CHECKING:
    from rich.table import Table


def shortfall(replay: RunResult) -> str:
    """The sentence that a run could not do what it wanted; empty where nothing kept it from that."""
    if replay.ended:
        return f"ended before its data: {replay.ended}"
    parts: list[str] = []
    if replay.margin_calls:
        parts.append(f"{_count(len(replay.margin_calls), 'margin call')} closed what it held")
    if replay.denials:
        parts.append(f"{_count(len(replay.denials), 'order')} denied")
    undecided = [*replay.undecided[:UNDECIDED_SHOWN]]
    if len(replay.undecided) > UNDECIDED_SHOWN:
        undecided.append(f"no target for {len(replay.undecided) - UNDECIDED_SHOWN} more symbols")
    return "; ".join(
        [*([f"could not hold what it wanted: {', '.join(parts)}"] if parts else []), *replay.stuck, *undecided]
    )


def assumption_lines(replay: RunResult) -> Iterator[str]:
    """What was assumed that no table says, each a sentence: it belongs below the first line."""
    from rich.markup import escape

    for sentence in replay.assumptions:
        yield f"[yellow]assumed[/yellow] {escape(sentence)}"


def denial_lines(replay: RunResult) -> Iterator[Table | str]:
    """A table of the rules that denied orders, and each margin call, where there are any."""
    from rich.markup import escape

    if replay.denials:
        yield denials_table(replay)
    for calls, what in ((replay.margin_warnings, "margin warnings"), (replay.margin_calls, "margin calls")):
        for call in calls[:CALLS_SHOWN]:
            yield f"{iso(call.time_ns)} {escape(call.message)}"
        if len(calls) > CALLS_SHOWN:
            yield f"and {len(calls) - CALLS_SHOWN} more {what}"


CALLS_SHOWN = 5
UNDECIDED_SHOWN = 3


def denials_table(replay: RunResult) -> Table:
    """One row a rule: how often, first and last time, and the sentence of the last."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("denied by", "orders", "first", "last", "the last one"):
        table.add_column(column, justify="right" if column == "orders" else "left", overflow="fold")
    for rule in dict.fromkeys(denial.rule for denial in replay.denials):
        found = [denial for denial in replay.denials if denial.rule == rule]
        last = found[-1]
        message = f"{last.symbol}: {last.message}" if last.message else last.symbol
        table.add_row(rule, str(len(found)), iso(found[0].time_ns), iso(last.time_ns), Text(message))
    return table


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
