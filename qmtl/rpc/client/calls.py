"""Plain calls as a channel hands them out: tried again where the contract allows it, inside the one deadline.

Errors come back as the classes the peer raised.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import grpc
from grpc import aio

from qmtl.core.errors import DeadlineExceeded, QmtlError, Unavailable
from qmtl.rpc.client.breaker import Breaker, BreakerState
from qmtl.rpc.status import code_of, from_rpc_error
from qmtl.rpc.telemetry import traces
from qmtl.rpc.telemetry.metrics import Metrics

Req = TypeVar("Req")
Res = TypeVar("Res")
Inner = TypeVar("Inner", bound="aio.UnaryUnaryCall[Any, Any] | aio.StreamUnaryCall[Any, Any]")

ATTEMPTS_MAX: Final = 5
BACKOFF_FIRST_S: Final = 0.1
BACKOFF_MAX_S: Final = 1.0


class RetryBudget:
    """Twenty tokens for a channel: a failure costs one, a success returns half; below half of them nobody tries again.

    The rule of gRPC's own retry throttling, so that retries do not multiply an outage, with a quicker recovery: a
    channel between two services may see only a few calls a minute.
    """

    FULL: Final = 20.0
    RETURNED: Final = 0.5

    def __init__(self) -> None:
        self._tokens = self.FULL

    def failed(self) -> bool:
        """Count a failure; whether one more attempt may be made."""
        self._tokens = max(0.0, self._tokens - 1.0)
        return self._tokens > self.FULL / 2

    def succeeded(self) -> None:
        """Count a success."""
        self._tokens = min(self.FULL, self._tokens + self.RETURNED)


@dataclass(frozen=True, slots=True)
class Policy:
    """How the plain calls of one method are tried. `deadline` is on `time.monotonic`'s scale."""

    method: str
    retry: bool
    budget: RetryBudget
    metrics: Metrics | None
    breaker: Breaker | None = None

    def count(self, code: grpc.StatusCode) -> None:
        """Count a finished call."""
        if self.metrics is not None:
            self.metrics.client_handled.labels(self.method, code.name).inc()

    def pause_s(self, error: QmtlError, attempt: int, deadline: float | None) -> float | None:
        """How long to wait before attempt + 1; None: give up.

        Without an answer from the peer the pause is random up to a doubling bound, so that callers spread.
        """
        code = code_of(error)
        if self.breaker is not None and self.breaker.state is not BreakerState.CLOSED:
            return None
        told = code is grpc.StatusCode.RESOURCE_EXHAUSTED and error.retry_after_s is not None
        if (
            error.reason == "E_SERVICE_CREDENTIALS"
            or not self.retry
            or attempt >= ATTEMPTS_MAX
            or not (told or code is grpc.StatusCode.UNAVAILABLE)
        ):
            return None
        if not self.budget.failed():
            return None
        backoff = min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2 ** (attempt - 1)) * random.uniform(0.5, 1.0)
        pause: float = max(backoff, error.retry_after_s or 0.0)
        if deadline is not None and time.monotonic() + pause >= deadline:
            return None
        if self.metrics is not None:
            self.metrics.client_retries.labels(self.method).inc()
        return pause


def remaining_s(deadline: float | None) -> float | None:
    """Seconds left of a deadline. Raises DeadlineExceeded (E_DEADLINE_EXCEEDED) when there are none."""
    if deadline is None:
        return None
    left = deadline - time.monotonic()
    if left <= 0:
        raise DeadlineExceeded("E_DEADLINE_EXCEEDED", "the deadline passed before the call was sent")
    return left


class _Tried(Generic[Inner, Res]):
    """A task that makes the attempts at a call, awaited for the reply or the error."""

    def __init__(self, start: Callable[[float | None], Inner], policy: Policy, deadline: float | None) -> None:
        self._start = start
        self._policy = policy
        self._deadline = deadline
        self._inner: Inner | None = None
        remaining_s(deadline)
        self._task = asyncio.get_running_loop().create_task(self._run())
        self._task.add_done_callback(_look_at)

    async def _run(self) -> Res:
        attempt, breaker = 1, self._policy.breaker
        while True:
            if breaker is not None:
                breaker.check()
            allowed_s = remaining_s(self._deadline)
            try:
                reply = await self._attempt()
            except aio.AioRpcError as error:
                found = from_rpc_error(error)
                if breaker is not None:
                    breaker.failed(found, allowed_s)
                pause = self._policy.pause_s(found, attempt, self._deadline)
                if pause is None:
                    self._policy.count(error.code())
                    raise found from error
                await asyncio.sleep(pause)
                attempt += 1
            else:
                self._policy.budget.succeeded()
                if breaker is not None:
                    breaker.succeeded()
                self._policy.count(grpc.StatusCode.OK)
                return reply

    async def _attempt(self) -> Res:
        with traces.client_span(self._policy.method) as span:
            self._inner = inner = self._start(remaining_s(self._deadline))
            try:
                reply: Res = await inner
            except aio.AioRpcError as error:
                traces.finish_client_span(span, error.code())
                raise
            except asyncio.CancelledError:
                traces.finish_client_span(span, grpc.StatusCode.CANCELLED)
                if self._task.cancelling():
                    raise
                raise Unavailable("E_CHANNEL_CLOSED", "the channel was closed during the call") from None
            traces.finish_client_span(span, grpc.StatusCode.OK)
            return reply

    def __await__(self) -> Generator[Any, None, Res]:
        return self._task.__await__()

    def cancel(self) -> bool:
        return self._task.cancel()

    def cancelled(self) -> bool:
        return self._task.cancelled()

    def done(self) -> bool:
        return self._task.done()

    def time_remaining(self) -> float | None:
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        self._task.add_done_callback(lambda _task: callback(self))

    async def initial_metadata(self) -> aio.Metadata:
        return await (await self._settled()).initial_metadata()

    async def trailing_metadata(self) -> aio.Metadata:
        return await (await self._settled()).trailing_metadata()

    async def code(self) -> grpc.StatusCode:
        return await (await self._settled()).code()

    async def details(self) -> str:
        return await (await self._settled()).details()

    async def wait_for_connection(self) -> None:
        await self._settled()

    async def _settled(self) -> Inner:
        """The last attempt, once the task is done; an error that kept it from starting is raised."""
        await asyncio.wait([self._task])
        if self._inner is None:
            raise self._task.exception() or asyncio.CancelledError()
        return self._inner


class UnaryCall(_Tried["aio.UnaryUnaryCall[Req, Res]", Res], aio.UnaryUnaryCall[Req, Res]):
    """A plain call."""


class ChunkedCall(_Tried["aio.StreamUnaryCall[Req, Res]", Res], aio.StreamUnaryCall[Req, Res]):
    """A payload in chunks, each attempt from its first."""

    async def write(self, request: Req) -> None:
        raise TypeError("the payload is sent by itself")

    async def done_writing(self) -> None:
        raise TypeError("the payload is sent by itself")


def _look_at(task: asyncio.Task[Any]) -> None:
    """A caller that only asks for `code()` never awaits the task: its error is not lost, so asyncio need not say so."""
    if not task.cancelled():
        task.exception()
