"""`qmtl trades`: what the trades of an account or a strategy made, lot by lot, as a table and as a picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from brokerage.domain.market.instrument import Instrument
from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.broker.v1 import account_service_pb2 as accountservicepb
from qmtl.broker.v1 import account_service_pb2_grpc as accountrpc
from qmtl.broker.v1 import instrument_service_pb2 as instrumentservicepb
from qmtl.broker.v1 import instrument_service_pb2_grpc as instrumentrpc
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.broker.v1 import order_service_pb2 as orderservicepb
from qmtl.broker.v1 import order_service_pb2_grpc as orderrpc
from qmtl.broker.v1 import portfolio_pb2 as portfoliopb
from qmtl.broker.v1 import portfolio_service_pb2 as portfolioservicepb
from qmtl.broker.v1 import portfolio_service_pb2_grpc as portfoliorpc
from qmtl.cli.commands.trading.orders import SEARCH_MAX, account_names
from qmtl.cli.gateway.calls import ask
from qmtl.cli.gateway.ids import whole_strategy_id
from qmtl.cli.gateway.pages import listed
from qmtl.cli.options import Access, with_access
from qmtl.cli.show.formats import money, plural
from qmtl.cli.show.messages import enum_word, show_json
from qmtl.cli.show.tables import show_table
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.decimals import format_decimal, parse_decimal
from qmtl.core.errors import InvalidRequest, NotFound, QmtlError, refused
from qmtl.core.fills import FillEvent
from qmtl.core.instants import from_ns, timestamp_text
from qmtl.data.v1 import catalogue_service_pb2 as catalogueservicepb
from qmtl.data.v1 import catalogue_service_pb2_grpc as cataloguerpc
from qmtl.data.v1 import data_service_pb2 as dataservicepb
from qmtl.data.v1 import data_service_pb2_grpc as datarpc
from qmtl.rpc.client.channel import MeshChannel
from qmtl.rpc.client.streams import scoped
from qmtl.sdk.data.bars import Bars
from qmtl.sdk.mesh.share_steps import share_steps
from qmtl.sdk.mesh.wire.bars import bars_from_arrow
from qmtl.sdk.mesh.wire.instruments import instrument_from_proto
from qmtl.sdk.mesh.wire.orders import fill_from_proto
from qmtl.sdk.reports.trades import CashPaid, TradedWith, TradeReport, trade_report
from qmtl.stats.lot_trades import EXACT
from qmtl.stats.trades import ShareStep
from qmtl.wire.instants import ns_from_proto, ns_to_proto

T = TypeVar("T")

COLUMNS = (
    "symbol", "quantity", "entry", "at", "exit", "at", "gross", "fees", "net", "held", "MAE", "MFE",
)  # fmt: skip
BESIDE = (
    portfoliopb.PAYMENT_KIND_INTEREST,
    portfoliopb.PAYMENT_KIND_BORROW,
    portfoliopb.PAYMENT_KIND_FUNDING,
    portfoliopb.PAYMENT_KIND_DIVIDEND,
)
"""Payments that are income or cost of what is held."""


@dataclass(frozen=True, slots=True)
class Found:
    """What was traded: the fills, the instruments, the bars, the money it began with, what could not be read, what
    became of the shares, and what was paid beside trades.
    """

    fills: Sequence[FillEvent]
    traded: TradedWith
    bars: Sequence[Bars]
    missing: Sequence[str]
    steps: Sequence[ShareStep]
    paid: Sequence[CashPaid]


@with_access
def trades(
    access: Access,
    what: Annotated[str, typer.Argument(metavar="ACCOUNT|STRATEGY", help="Account, or a strategy in all accounts.")],
    world: Annotated[str, typer.Option("--world", help="Only what this world traded.")] = "",
    picture: Annotated[
        Path | None, typer.Option("--picture", help="Also draw it into this file, .png or .svg.")
    ] = None,
) -> None:
    """Report round trips by lots, first in first out: entry, exit, profit, fees, and how far each went either way."""

    async def look(channel: MeshChannel) -> list[str]:
        request = accountservicepb.GetAccountRequest(account=what)
        try:
            return [(await accountrpc.AccountServiceStub(channel).GetAccount(request)).account.account]
        except NotFound:
            return []

    named = ask(access, look)
    strategy = "" if named else whole_strategy_id(access, what)

    async def call(channel: MeshChannel) -> Found:
        return await _found(channel, named or await account_names(channel, "", world), world, strategy)

    found = ask(access, call)
    report = trade_report(found.fills, found.traded, found.bars, found.steps, found.paid)
    drawn = report.draw(what, found.fills, found.bars, picture) if picture is not None else None
    if access.json:
        show_json(_as_json(report, found.missing))
        return
    show_table(f"trades of {what}", COLUMNS, trade_rows(report))
    for line in (*summary(report), *(f"bars unknown: {one}" for one in found.missing)):
        typer.echo(line)
    if drawn is not None:
        typer.echo(f"drawn: {drawn}")


def trade_rows(report: TradeReport) -> list[tuple[str, ...]]:
    """One line a trade, in the order in which they ended."""
    return [
        (
            trade.symbol,
            format_decimal(trade.quantity),
            timestamp_text(from_ns(trade.entry_ns)),
            format_decimal(trade.entry_price),
            timestamp_text(from_ns(trade.exit_ns)),
            format_decimal(trade.exit_price),
            *(money(amount) for amount in (trade.gross, trade.fees, trade.net)),
            str(timedelta(microseconds=trade.held_ns // 1_000)),
            *(("-", "-") if reach is None else map(money, reach)),
        )
        for trade, reach in zip(report.trades.trades, report.reaches, strict=True)
    ]


def summary(report: TradeReport) -> list[str]:
    """What the trades come to, and what is still open."""
    made = report.trades.trades
    won = sum(trade.net > 0 for trade in made)
    lines = [f"{len(made)} trades, {won} of them won"]
    for currency, amounts in sorted(report.totals.items()):
        gross, fees = amounts
        lines.append(f"net {money(EXACT.subtract(gross, fees))} {currency}: gross {money(gross)}, fees {money(fees)}")
    for symbol, lots in sorted(report.trades.open_lots.items()):
        held = sum((lot.quantity for lot in lots), Decimal(0))
        lines.append(f"open: {format_decimal(held)} {symbol} in {plural(len(lots), 'lot')}")
    lines += [
        f"{kind} beside: {money(amount)} {currency}" for (kind, currency), amount in sorted(report.paid_totals.items())
    ]
    lines += [f"fees beside: {format_decimal(fee)} {name}" for name, fee in sorted(report.trades.other_fees.items())]
    return lines


def _as_json(report: TradeReport, missing: Sequence[str]) -> dict[str, object]:
    rows = [
        {
            "symbol": trade.symbol,
            "quantity": format_decimal(trade.quantity),
            "entry_time": timestamp_text(from_ns(trade.entry_ns)),
            "entry_price": format_decimal(trade.entry_price),
            "exit_time": timestamp_text(from_ns(trade.exit_ns)),
            "exit_price": format_decimal(trade.exit_price),
            "gross": format_decimal(trade.gross),
            "fees": format_decimal(trade.fees),
            "net": format_decimal(trade.net),
            "held_seconds": trade.held_ns / 1e9,
            "mae": None if reach is None else format_decimal(reach[0]),
            "mfe": None if reach is None else format_decimal(reach[1]),
        }
        for trade, reach in zip(report.trades.trades, report.reaches, strict=True)
    ]
    return {"trades": rows, "summary": summary(report), "bars_unknown": list(missing)}


async def _found(channel: MeshChannel, names: Sequence[str], world: str, strategy: str) -> Found:
    fills: list[orderpb.Fill] = []
    payments: list[portfoliopb.Payment] = []
    accounts: list[accountpb.Account] = []
    for name in names:
        mine = await _fills(channel, name, world, strategy)
        if mine or len(names) == 1:
            request = accountservicepb.GetAccountRequest(account=name)
            accounts.append((await accountrpc.AccountServiceStub(channel).GetAccount(request)).account)
            payments += await _payments(channel, name, world, strategy)
        fills += mine
    fills.sort(key=lambda one: (one.venue_time.ToNanoseconds(), one.account, one.account_fill_number))
    traded = {(fill.account, fill.symbol) for fill in fills}
    became = {(paid.account, paid.change.symbol) for paid in payments if paid.change.symbol}
    venues = {one.account: one.venue for one in accounts}
    instruments = await instruments_of(instrumentrpc.InstrumentServiceStub(channel), venues, traded | became)
    symbols = sorted(instruments)
    start = sum((parse_decimal(one.starting_cash, "account.starting_cash") for one in accounts), Decimal(0))
    events = [fill_from_proto(fill) for fill in fills]
    bars, missing = await _bars(channel, accounts, symbols, events[0].time_ns if events else 0)
    steps = share_steps(fills, payments, instruments)
    return Found(events, TradedWith.of(instruments, start), bars, missing, steps, [*paid_beside(payments)])


def paid_beside(payments: Sequence[portfoliopb.Payment]) -> Iterator[CashPaid]:
    """What came in without a trade. Cash for shares is part of trades, as is the daily mark to market of a future."""
    for payment in payments:
        if payment.kind in BESIDE:
            amount = parse_decimal(payment.amount, "payment.amount")
            kind = enum_word(portfoliopb.PaymentKind, payment.kind).lower()
            yield CashPaid(kind, payment.currency, amount, ns_from_proto(payment.time, "payment.time"))


async def _fills(channel: MeshChannel, account: str, world: str, strategy: str) -> list[orderpb.Fill]:
    stub = orderrpc.OrderServiceStub(channel)
    request = orderservicepb.ListFillsRequest(account=account, world_id=world, strategy_id=strategy)
    found = await listed(stub.ListFills, request, lambda reply: reply.fills, SEARCH_MAX + 1)
    return require_whole(found, account, "fills")


async def _payments(channel: MeshChannel, account: str, world: str, strategy: str) -> list[portfoliopb.Payment]:
    stub = portfoliorpc.PortfolioServiceStub(channel)
    request = portfolioservicepb.ListPaymentsRequest(account=account, world_id=world, strategy_id=strategy)
    found = await listed(stub.ListPayments, request, lambda reply: reply.payments, SEARCH_MAX + 1)
    return require_whole(found, account, "payments")


def require_whole(found: list[T], account: str, what: str) -> list[T]:
    """Fills or payments of an account, all of them: trips of a part would be others. Raises InvalidRequest
    (E_TOO_LARGE).
    """
    if len(found) > SEARCH_MAX:
        hint = "ask for one strategy or one world"
        raise InvalidRequest("E_TOO_LARGE", f"account {account} has more than {SEARCH_MAX:,} {what}", hint=hint)
    return found


async def instruments_of(
    stub: instrumentrpc.InstrumentServiceAsyncStub, venues: Mapping[str, str], traded: Set[tuple[str, str]]
) -> dict[str, Instrument]:
    """The instruments of pairs of account and symbol, as the venue of each account has them.

    Raises InvalidRequest (E_FIELD): two venues have one symbol with other properties, so that no trade of both can be
    reported.
    """
    found = dict[str, tuple[str, Instrument]]()
    for symbol, venue in sorted({(symbol, venues[account]) for account, symbol in traded}):
        request = instrumentservicepb.GetInstrumentRequest(symbol=symbol, venue=venue)
        one = instrument_from_proto((await stub.GetInstrument(request)).instrument)
        first, known = found.setdefault(symbol, (venue, one))
        _require_alike(known, first, one, venue)
    return {symbol: one for symbol, (_, one) in found.items()}


def _require_alike(one: Instrument, at: str, other: Instrument, elsewhere: str) -> None:
    """Raises InvalidRequest (E_FIELD) for instruments whose trades are no trades of one thing."""
    kinds = [(each.base, each.quote, each.multiplier, each.quantity_decimal(each.lot)) for each in (one, other)]
    if kinds[0] != kinds[1]:
        told = (f"{base}/{quote} x {multiplier} in lots of {lot}" for base, quote, multiplier, lot in kinds)
        said = " and ".join(f"{what} at {venue}" for what, venue in zip(told, (at, elsewhere), strict=True))
        raise refused("E_FIELD", "ACCOUNT|STRATEGY", f"{one.symbol}: {said}", "one account: these are two instruments")


async def _bars(
    channel: MeshChannel, accounts: Sequence[accountpb.Account], symbols: Sequence[str], start_ns: int
) -> tuple[list[Bars], list[str]]:
    """The bars that moved the accounts, of each symbol once; what cannot be read is told with its reason."""
    presets = {feed.symbol: feed.data_preset for one in accounts for feed in one.feeds if feed.symbol in symbols}
    bars: list[Bars] = []
    missing = [f"{symbol}: no feed of the account has it" for symbol in symbols if symbol not in presets]
    for symbol, preset in sorted(presets.items()):
        try:
            bars.append(await _fetched(channel, preset, start_ns))
        except QmtlError as error:
            missing.append(f"{symbol}: {error.reason}: {error.message}")
    return bars, missing


async def _fetched(channel: MeshChannel, name: str, start_ns: int) -> Bars:
    request = catalogueservicepb.GetPresetRequest(name=name)
    preset = (await cataloguerpc.CatalogueServiceStub(channel).GetPreset(request)).preset
    span = commonpb.TimeRange(start=ns_to_proto(start_ns - preset.interval.ToNanoseconds()))
    parts: list[bytes] = []
    with scoped(
        datarpc.DataServiceStub(channel).Fetch(dataservicepb.FetchRequest(dataset=name, range=span))
    ) as replies:
        async for reply in replies:
            parts += [reply.arrow_ipc] if reply.WhichOneof("part") != "metadata" else []
    return bars_from_arrow(parts, preset)
