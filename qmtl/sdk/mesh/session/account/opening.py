"""Opens the account of a paper session, or finds that of a live one, and gives it the prices of what is traded."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from functools import partial

from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.broker.v1 import account_service_pb2 as accountservicepb
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.decimals import format_decimal, parse_decimal
from qmtl.core.errors import NotFound, refused
from qmtl.core.identity.canonical import digest
from qmtl.data.v1 import datasets_pb2 as datasetspb
from qmtl.sdk.mesh.instruments import instrument_of
from qmtl.sdk.mesh.retrying import RetryingClient
from qmtl.sdk.mesh.session.account.profile import is_live
from qmtl.sdk.mesh.session.terms import CASH, FEE, SessionTerms
from qmtl.world.v1 import decision_pb2 as decisionpb
from qmtl.world.v1 import session_pb2 as sessionpb

Traded = Mapping[str, datasetspb.Preset]
"""What moves each symbol that is traded."""


async def open_paper_account(
    retrying: RetryingClient,
    session: sessionpb.Session,
    request: accountservicepb.OpenPaperAccountRequest,
    traded: Traded,
) -> accountpb.Account:
    """The paper account on the session's bars; opened once, answered ever after. `request` names it and its money."""
    first, *others = traded.values()
    request.world_id, request.data_preset, request.data_session_id = session.world_id, first.name, session.session_id
    quotes = {(await instrument_of(retrying, symbol)).quote for symbol in traded}
    if not request.base_currency and len(quotes) == 1:
        request.base_currency = quotes.pop()
    accounts = retrying.client.accounts
    opened = (await retrying.ask(lambda: accounts.OpenPaperAccount(request), "account")).account
    for preset in others:
        opened = await _fed(retrying, opened, preset, session.session_id)
    return opened


async def find_live_account(
    retrying: RetryingClient, world: str, terms: SessionTerms, traded: Traded
) -> accountpb.Account:
    """The account at an exchange that a world trades with, fed by live prices of all that is traded.

    Raises NotFound (E_ACCOUNT_UNKNOWN): the world may use none; InvalidRequest (E_FIELD): it may use several and the
    terms name none, or they name one on paper, or money that is not theirs to choose, or its prices of a symbol come
    more rarely than the strategy decides on it.
    """
    for field, given in (("profile", terms.profile or None), ("cash", terms.cash), ("fee_rate", terms.fee_rate)):
        if given is not None:
            raise refused("E_FIELD", f"terms.{field}", given, "none: an account at an exchange is as it is")
    found = await _live_accounts(retrying, world)
    names = [one.account for one in found]
    if terms.account and terms.account not in names:
        want = f"one of {', '.join(names) or 'none'}: what world {world} may use at an exchange"
        raise refused("E_FIELD", "terms.account", terms.account, want)
    if not found:
        raise NotFound(
            "E_ACCOUNT_UNKNOWN",
            f"world {world} may use no account at an exchange",
            hint=f"qmtl accounts open NAME --venue VENUE --world {world}",
        )
    if not terms.account and len(found) > 1:
        raise refused("E_FIELD", "terms.account", "none", f"one of {', '.join(names)}")
    account = next(one for one in found if terms.account in ("", one.account))
    fed = {feed.symbol: feed for feed in account.feeds}
    for symbol, preset in traded.items():
        if symbol in fed:
            _require_as_fine(account, fed[symbol], preset)
    for symbol, preset in traded.items():
        if symbol not in fed:
            account = await _fed(retrying, account, preset, "")  # it outlives the session
    return account


def _require_as_fine(account: accountpb.Account, feed: accountpb.AccountFeed, preset: datasetspb.Preset) -> None:
    has_s, wants_s = feed.interval.seconds, preset.interval.seconds
    if has_s > wants_s:
        raise refused(
            "E_FIELD",
            f"feed of {feed.symbol} of account {account.account}",
            f"{feed.data_preset}, a price every {has_s} s",
            f"at most every {wants_s} s, as {preset.name}, whose bars the strategy decides on",
        )


async def _live_accounts(retrying: RetryingClient, world: str) -> list[accountpb.Account]:
    def page_of(page: commonpb.PageRequest) -> Awaitable[accountservicepb.ListAccountsResponse]:
        request = accountservicepb.ListAccountsRequest(world_id=world, page=page)
        return retrying.client.accounts.ListAccounts(request)

    replies = retrying.pages(page_of, "accounts")
    return [one async for reply in replies for one in reply.accounts if is_live(one)]


async def _fed(
    retrying: RetryingClient, account: accountpb.Account, preset: datasetspb.Preset, session_id: str
) -> accountpb.Account:
    feed = accountservicepb.AddFeedRequest(account=account.account, data_preset=preset.name, data_session_id=session_id)
    return (await retrying.ask(partial(retrying.client.accounts.AddFeed, feed), "feed")).account


def account_name(strategy_id: str, session_id: str) -> str:
    """One paper account per strategy and session."""
    return f"{strategy_id}-{digest(session_id.encode()).removeprefix('blake3:')[:8]}"


def paper_account(
    decision: decisionpb.DecisionEnvelope, terms: SessionTerms
) -> accountservicepb.OpenPaperAccountRequest:
    """The account to open, without its name and data. It has the fees, slippage and participation that the policy asks
    for, as the account of a backtest has.

    Raises InvalidRequest (E_FIELD) for terms that are not the world's.
    """
    if not decision.HasField("account_model"):
        fee = "" if terms.profile else format_decimal(FEE if terms.fee_rate is None else terms.fee_rate)
        cash = format_decimal(CASH if terms.cash is None else terms.cash)
        return accountservicepb.OpenPaperAccountRequest(starting_cash=cash, fee_rate=fee, profile=terms.profile)
    model = decision.account_model
    cash_asked = parse_decimal(model.starting_cash, "account_model.starting_cash")
    fee_rate = parse_decimal(model.fee_rate, "account_model.fee_rate") if model.fee_rate else FEE
    for field, given, is_asked in (
        ("profile", terms.profile or None, model.profile),
        ("cash", terms.cash, cash_asked),
        ("fee_rate", terms.fee_rate, None if model.profile else fee_rate),
    ):
        if given is not None and given != is_asked:
            raise refused("E_FIELD", f"terms.{field}", given, f"none: the account is world {decision.world_id}'s")
    return accountservicepb.OpenPaperAccountRequest(
        starting_cash=format_decimal(cash_asked),
        fee_rate="" if model.profile else format_decimal(fee_rate),
        profile=model.profile,
        type=model.type,
        leverage=model.leverage,
        maker_fee_rate_min=model.maker_fee_rate_min,
        taker_fee_rate_min=model.taker_fee_rate_min,
        slippage_rate_min=model.slippage_rate_min,
        participation_max=model.participation_max,
    )
