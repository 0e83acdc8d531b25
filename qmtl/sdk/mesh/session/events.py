"""What a session tells its listener, and its strategy when it fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

from qmtl.core.fills import FillEvent
from qmtl.sdk.execution.port import DeniedOrder
from qmtl.sdk.strategy.strategy import Strategy


@dataclass(frozen=True, slots=True)
class Awaiting:
    """The world has not activated the strategy for paper or live: an operator is waited for, at most `limit_s`."""

    strategy_id: str
    world_id: str
    limit_s: float


@dataclass(frozen=True, slots=True)
class SessionBegun:
    """A session is open and its account known, on paper or live. `start_ns` and `end_ns` as of BarDone."""

    session_id: str
    account: str
    is_live: bool
    start_ns: int
    end_ns: int


@dataclass(frozen=True, slots=True)
class BarDone:
    """A bar was played and its orders are answered. `bars` so far, of a session from `start_ns` to `end_ns`.

    `end_ns` 0: nobody knows when it ends.
    """

    time_ns: int
    bars: int
    start_ns: int
    end_ns: int


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """So many closes before `time_ns` were followed and not acted on, because newer ones were known."""

    time_ns: int
    bars: int


SessionEvent = Awaiting | SessionBegun | BarDone | FillEvent | DeniedOrder | CaughtUp
OnEvent = Callable[[SessionEvent], None]


class ErrorHook:
    """Tells a strategy of the error that ends its session."""

    def __init__(self, strategy: Strategy) -> None:
        self._strategy = strategy

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, Exception):
            self._strategy.on_error(error)
