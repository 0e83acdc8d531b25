"""A way to one exchange: a ccxt class, its credentials if any, and the rate limits it shares with everybody else.

Every call ends as an answer, a refusal in the exchange's own words, or an outcome that is not known.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import structlog

from qmtl.core.clock import Clock
from qmtl.core.errors import Exhausted, InvalidRequest, QmtlError, Unavailable
from qmtl.core.instants import to_ns
from qmtl.exchanges.budgets import Purpose, RequestBudget
from qmtl.exchanges.credentials import Credentials

MS_NS = 1_000_000
TIMEOUT_MS = 10_000
BUDGET_WAIT_S = 5.0
USED_WEIGHT = "X-MBX-USED-WEIGHT-1M"
RETRY_AFTER = "RETRY-AFTER"

FAILED = 500
UNSURE: Mapping[str, tuple[str, ...]] = {"kraken": ('"EService:', '"EGeneral:Internal error', '"EDatabase:')}
"""Words of an exchange that tell of a failure within it: what was asked may have been done, or be done yet. ccxt knows
some of them, by their whole text, and reads the others as refusals.
"""

log = structlog.stdlib.get_logger("qmtl.exchanges")


class VenueRefused(Exception):
    """The exchange refused what was asked; it has not been done. The text is the exchange's."""


class NotSent(Exhausted):
    """The shared limits left no room for a call: nothing was sent. `retry_after_s` says when to try again."""


class NoSuchOrder(VenueRefused):
    """The exchange knows no order like it."""


Call = Callable[[Mapping[str, object]], Awaitable[object]]
"""One endpoint of an exchange, as ccxt names it: `exchange.private_post_order`."""


def made(
    exchange_id: str,
    credentials: Credentials,
    *,
    options: Mapping[str, object],
    address: str = "",
    timeout_ms: int = TIMEOUT_MS,
) -> Any:
    """A ccxt class by its id, with websockets. `address` replaces scheme and host of every address it knows.

    Raises InvalidRequest (E_VENUE_INVALID) for an id that ccxt does not have.
    """
    import ccxt.pro  # 1 s and 100 MB: only where an exchange is used

    if exchange_id not in ccxt.pro.exchanges:
        raise InvalidRequest("E_VENUE_INVALID", f"ccxt has no exchange {exchange_id[:80]!r} with websockets")
    config = {
        "apiKey": credentials.api_key,
        "secret": credentials.secret,
        "password": credentials.password,
        "enableRateLimit": False,  # the shared buckets pace
        "timeout": timeout_ms,
        "options": {**options, "maxRetriesOnFailure": 0},
    }
    found = vars(ccxt.pro)[exchange_id](config)
    if address:
        found.urls["api"] = _moved(found.urls["api"], address)
    found.handle_errors = _failures_first(exchange_id, found.handle_errors)
    return found


def _failures_first(exchange_id: str, known: Callable[..., object]) -> Callable[..., object]:
    """ccxt's reading of an answer, but one of a status of 500 and above is no refusal, whatever its body says."""
    import ccxt

    def read(status: int, *more: object) -> object:
        if status >= FAILED:
            raise ccxt.ExchangeNotAvailable(f"{exchange_id} {status}")
        return known(status, *more)

    return read


def _moved(urls: object, address: str) -> object:
    """Addresses on another host, websockets too."""
    if isinstance(urls, dict):
        return {name: _moved(part, address) for name, part in urls.items()}
    scheme, _, rest = str(urls).partition("://")
    host = address.partition("://")[2]
    path = rest.partition("/")[2]
    return f"{'ws' if scheme.startswith('ws') else 'http'}://{host}{'/' if path else ''}{path}"


class Nonces(Protocol):
    """Numbers of one key that only grow, for an exchange that wants each request's above the one before."""

    async def reserve(self) -> None:
        """See to it that there is a next one. Raises Unavailable (E_VENUE_UNREACHABLE): nobody may send now."""
        ...

    def next(self) -> int:
        """The next one."""
        ...


class Connection:
    """Calls an exchange for one account.

    `signed_at` tells the time that a request is signed with, in ms, and may refuse to: the lease of who drives the
    account does. `budget` is None where nobody else calls the exchange; a call waits `wait_s` for it at most. With
    `nonces` requests are signed with these and go one after the other, so that they arrive in order.
    """

    def __init__(
        self,
        exchange: Any,
        clock: Clock,
        budget: RequestBudget | None = None,
        signed_at: Callable[[], int] | None = None,
        wait_s: float = BUDGET_WAIT_S,
        nonces: Nonces | None = None,
    ) -> None:
        self.exchange = exchange
        self._wait_s = wait_s
        self._budget = budget
        self._clock = clock
        self.weight_used: int | None = None  # as the exchange last told
        self._heard: object = None  # the headers that told it
        self.signing_ms = signed_at or self.now_ms
        self._nonces = nonces
        self._turn = asyncio.Lock()
        self._without = False  # the shared limits could not be asked when they last were
        self._paid_orders = self._paid_weight = 0  # taken by `pace` for calls to come
        exchange.nonce = self.signing_ms if nonces is None else self._next_nonce

    def _next_nonce(self) -> int:
        if self._nonces is None:
            raise AssertionError("no nonces")
        self.signing_ms()  # which may refuse
        return self._nonces.next()

    def now_ms(self) -> int:
        """The time here, in ms."""
        return to_ns(self._clock.now()) // MS_NS

    async def call(
        self,
        endpoint: Call,
        params: Mapping[str, object],
        *,
        purpose: Purpose,
        weight: int = 1,
        order: bool = False,
    ) -> object:
        """The exchange's answer.

        Raises VenueRefused and NoSuchOrder for what it refused, NotSent (E_RATE_LIMITED) where nothing was sent,
        Exhausted (E_RATE_LIMITED) where it did not look at it, Unavailable (E_VENUE_UNREACHABLE) where it is not known
        what became of it.
        """
        await self._spend(purpose, weight, order)
        try:
            return await self._sent(endpoint, params)
        except Exhausted:
            if self._budget is not None:
                await self._shared(self._budget.penalise(self._retry_after_s()))
            raise
        finally:
            await self._adopt()

    async def pace(self, purpose: Purpose, acts: int) -> float:
        """See to it that so many orders, changes or cancels can be sent without waiting for the shared limits: 0.0, or
        the seconds after which to ask again. What was taken before and not used is used first.

        Raises InvalidRequest for more than the limits hold at once, Unavailable where they cannot be asked and the acts
        are not cancels or reducing orders, which then go without.
        """
        if self._budget is None:
            return 0.0
        try:
            return await self._paced(self._budget, purpose, acts)
        except Unavailable as unknown:
            self._go_without(purpose, unknown)
            return 0.0

    async def _paced(self, budget: RequestBudget, purpose: Purpose, acts: int) -> float:
        short = acts - self._paid_orders
        if short > 0:
            if wait_s := await budget.take_orders(purpose, short):
                return wait_s
            self._paid_orders = acts
        short = acts - self._paid_weight
        if short > 0:
            if wait_s := await budget.take_weight(purpose, short):
                return wait_s
            self._paid_weight = acts
        self._without = False
        return 0.0

    async def _spend(self, purpose: Purpose, weight: int, order: bool) -> None:
        """Take a call's share of the limits, if `pace` has not taken it. Raises NotSent, Unavailable as `pace` does."""
        if self._budget is None:
            return
        if order and self._paid_orders and self._paid_weight >= weight:
            self._paid_orders -= 1
            self._paid_weight -= weight
            return
        spend = self._budget.order if order else self._budget.request
        try:
            await spend(purpose, weight=weight, timeout_s=self._wait_s)
        except Exhausted as none_left:
            raise NotSent(none_left.reason, none_left.message, retry_after_s=none_left.retry_after_s) from none_left
        except Unavailable as unknown:
            self._go_without(purpose, unknown)
        else:
            self._without = False

    def _go_without(self, purpose: Purpose, unknown: Unavailable) -> None:
        """Let what takes risk away go where the shared limits cannot be asked, told once until they can. For the rest
        raises what they raised.
        """
        if purpose not in (Purpose.CANCEL, Purpose.REDUCE):
            raise unknown
        if not self._without:
            log.warning("sent_without_limits", exchange=self.exchange.id, purpose=purpose.value, error=str(unknown))
        self._without = True

    async def _sent(self, endpoint: Call, params: Mapping[str, object]) -> object:
        if self._nonces is None:
            with outcomes(self.exchange.id):
                return await endpoint(params)
        async with self._turn:
            await self._nonces.reserve()
            with outcomes(self.exchange.id):
                return await endpoint(params)

    async def close(self) -> None:
        """Let go of sockets."""
        await self.exchange.close()

    def _retry_after_s(self) -> float | None:
        """How long the exchange wants to be left alone, where it says so."""
        wait = self._header(RETRY_AFTER)
        return float(wait) if wait.isdecimal() else None

    def _header(self, name: str) -> str:
        """A header of the last answer, empty where it has none."""
        headers = self.exchange.last_response_headers or {}
        return next((str(value) for key, value in headers.items() if key.upper() == name), "")

    async def _adopt(self) -> None:
        headers = self.exchange.last_response_headers
        used = self._header(USED_WEIGHT)
        if headers is self._heard:
            return  # no answer has come since: what it counted then is over
        self._heard = headers
        if not used.isdecimal():
            return
        self.weight_used = int(used)
        if self._budget is not None:
            await self._shared(self._budget.adopt(weight_used=self.weight_used))

    async def _shared(self, telling: Awaitable[None]) -> None:
        """Tell the others what the exchange said of its limits; that they do not hear it changes no outcome."""
        try:
            await telling
        except QmtlError as error:
            log.warning("limits_not_shared", exchange=self.exchange.id, error=str(error))


@contextmanager
def outcomes(exchange_id: str) -> Iterator[None]:
    """Turn ccxt's errors into what they mean for the outcome. Their text has no secret; bodies stay short."""
    import aiohttp
    import ccxt

    try:
        yield
    except ccxt.OrderNotFound as error:
        raise NoSuchOrder(_said(error)) from error
    except (ccxt.RateLimitExceeded, ccxt.DDoSProtection) as error:
        raise Exhausted("E_RATE_LIMITED", f"{exchange_id} lets nothing through for now: {_said(error)}") from error
    except ccxt.InvalidNonce as error:
        raise VenueRefused(_said(error)) from error
    except ccxt.ExchangeError as error:
        cut = isinstance(error.__cause__, aiohttp.ClientError)  # a body cut short looks like a refusal and is none
        if cut or any(word in str(error) for word in UNSURE.get(exchange_id, ())):
            raise _unknown(exchange_id, error) from error
        raise VenueRefused(_said(error)) from error
    except (ccxt.BaseError, OSError) as error:
        raise _unknown(exchange_id, error) from error


def _unknown(exchange_id: str, error: Exception) -> Unavailable:
    return Unavailable("E_VENUE_UNREACHABLE", f"no answer of {exchange_id}: {type(error).__name__}")


def _said(error: Exception) -> str:
    return str(error)[:300]
