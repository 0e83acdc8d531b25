"""AccountService: who may use which money, fed by which bars."""

from __future__ import annotations

from sqlalchemy import Connection

from brokerage.accounts import at_venues, limits, opening, sharing, store, trading_state
from brokerage.accounts.access import AccountAccess
from brokerage.accounts.opening import AccountOpening
from brokerage.accounts.wire import TRADING_STATES, account_to_proto, limits_from_proto, world_from_proto
from brokerage.audit import calling_actor
from brokerage.domain.accounts.account import Account
from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.broker.v1 import account_service_pb2 as accountservicepb
from qmtl.broker.v1 import account_service_pb2_grpc as accountrpc
from qmtl.core.clock import Clock
from qmtl.core.errors import NotFound
from qmtl.core.instants import to_ns
from qmtl.core.roles import Role
from qmtl.rpc.auth.roles import WorldRoles
from qmtl.sql.database import Database
from qmtl.wire.fields import known_enum, require_text
from qmtl.wire.paging import page_from_proto, page_of

MESSAGE_MAX = 500


class AccountService(accountrpc.AccountServiceServicer):
    """Accounts behind their contract. `in_use` tells whether a world holds or orders something in an account."""

    def __init__(
        self,
        db: Database,
        roles: WorldRoles,
        access: AccountAccess,
        openings: AccountOpening,
        in_use: sharing.InUse,
        clock: Clock,
        accounts_max: int,
    ) -> None:
        self._db = db
        self._roles = roles
        self._access = access
        self._openings = openings
        self._in_use = in_use
        self._clock = clock
        self._accounts_max = accounts_max

    async def OpenPaperAccount(
        self, request: accountservicepb.OpenPaperAccountRequest, context: object
    ) -> accountservicepb.OpenPaperAccountResponse:
        world_id = world_from_proto(request.world_id)
        await self._roles.require(world_id, Role.OPERATOR)
        wanted, actor = await self._openings.draft(request, self._now_ns()), calling_actor()
        account = await self._db.write(
            lambda conn: opening.open_account(conn, wanted, world_id, actor, self._accounts_max)
        )
        return accountservicepb.OpenPaperAccountResponse(account=await self._told(account))

    async def OpenVenueAccount(
        self, request: accountservicepb.OpenVenueAccountRequest, context: object
    ) -> accountservicepb.OpenVenueAccountResponse:
        worlds = at_venues.worlds_from(request)
        for world_id in worlds:
            await self._roles.require(world_id, Role.OPERATOR)
        wanted, actor = at_venues.draft(self._openings.market, request, self._now_ns()), calling_actor()
        account = await self._db.write(
            lambda conn: at_venues.open_at_venue(conn, wanted, worlds, actor, self._accounts_max)
        )
        return accountservicepb.OpenVenueAccountResponse(account=await self._told(account))

    async def GetAccount(
        self, request: accountservicepb.GetAccountRequest, context: object
    ) -> accountservicepb.GetAccountResponse:
        account = await self._db.read(lambda conn: store.account(conn, request.account))
        message = await self._told(account)
        if not message.worlds and not await self._access.in_no_world_and_readable(account.account):
            raise NotFound("E_ACCOUNT_UNKNOWN", f"no account {request.account} of a world that you may read")
        return accountservicepb.GetAccountResponse(account=message)

    async def ListAccounts(
        self, request: accountservicepb.ListAccountsRequest, context: object
    ) -> accountservicepb.ListAccountsResponse:
        page = page_from_proto(request, (str,))
        if request.world_id:
            await self._roles.require(request.world_id, Role.READER)
        found = await self._db.read(lambda conn: store.page_of_accounts(conn, request.world_id, page))
        told = [await self._told(account) for account in found]
        shown, info = page_of(told, page, lambda message: (message.account,), lambda message: message)
        readable = [message for message in shown if message.worlds]
        return accountservicepb.ListAccountsResponse(accounts=readable, page=info)

    async def AllowWorld(
        self, request: accountservicepb.AllowWorldRequest, context: object
    ) -> accountservicepb.AllowWorldResponse:
        world_id = world_from_proto(request.world_id)
        await self._access.operable(request.account, world_id)
        actor, now_ns = calling_actor(), self._now_ns()
        account = await self._db.write(
            lambda conn: sharing.allow_world(conn, request.account, world_id, actor, now_ns, self._accounts_max)
        )
        return accountservicepb.AllowWorldResponse(account=await self._told(account))

    async def DisallowWorld(
        self, request: accountservicepb.DisallowWorldRequest, context: object
    ) -> accountservicepb.DisallowWorldResponse:
        world_id = require_text(request.world_id, "world_id", 128)
        await self._access.operable(request.account)
        actor, now_ns = calling_actor(), self._now_ns()
        account = await self._db.write(
            lambda conn: sharing.disallow_world(conn, request.account, world_id, actor, now_ns, self._in_use)
        )
        return accountservicepb.DisallowWorldResponse(account=await self._told(account))

    async def AddFeed(
        self, request: accountservicepb.AddFeedRequest, context: object
    ) -> accountservicepb.AddFeedResponse:
        await self._access.operable(request.account)
        known = await self._db.read(lambda conn: store.account(conn, request.account))
        feed = await self._openings.feed_of(known, request.data_preset, request.data_session_id)
        actor, now_ns = calling_actor(), self._now_ns()
        account = await self._db.write(lambda conn: opening.add_feed(conn, request.account, feed, actor, now_ns))
        return accountservicepb.AddFeedResponse(account=await self._told(account))

    async def SetTradingState(
        self, request: accountservicepb.SetTradingStateRequest, context: object
    ) -> accountservicepb.SetTradingStateResponse:
        state = known_enum(TRADING_STATES, request.state, "state")
        await self._access.operable(request.account)
        message, actor, now_ns = request.message[:MESSAGE_MAX], calling_actor(), self._now_ns()

        def change(conn: Connection) -> Account:
            return trading_state.set_trading_state(conn, request.account, state, message, actor, now_ns)

        return accountservicepb.SetTradingStateResponse(account=await self._told(await self._db.write(change)))

    async def SetAccountLimits(
        self, request: accountservicepb.SetAccountLimitsRequest, context: object
    ) -> accountservicepb.SetAccountLimitsResponse:
        actor, now_ns = calling_actor(), self._now_ns()
        known = await self._db.read(lambda conn: store.account(conn, request.account))
        wanted = limits_from_proto(request.limits, request.revision, known.base_currency)
        account = await self._db.write(
            lambda conn: limits.set_account_limits(conn, request.account, wanted, actor, now_ns)
        )
        return accountservicepb.SetAccountLimitsResponse(account=await self._told(account))

    async def _told(self, account: Account) -> accountpb.Account:
        """An account with those of its worlds that the caller may read."""
        worlds = await self._access.readable_worlds(await self._access.worlds(account.account))
        return account_to_proto(account, worlds)

    def _now_ns(self) -> int:
        return to_ns(self._clock.now())
