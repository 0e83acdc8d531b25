"""The error tree: what every service raises and every client catches, on either side of a wire.

An error says a request could not be served; a refusal by policy is a value in a reply, not an error.
`reason` is a stable UPPER_SNAKE code that programs may match on; the message is for people. Mapping
to and from gRPC status lives in qmtl.rpc.status; nothing here knows about transport.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

SHOWN_MAX: Final = 200  # characters of a wrong value that an error repeats


@dataclass(frozen=True, slots=True)
class Violation:
    """One field that is wrong: where it is, what was there, and what is wanted."""

    field: str
    value: str
    want: str

    def __str__(self) -> str:
        return f"{self.field} is {self.value}, want {self.want}"


class QmtlError(Exception):
    """Root of the tree; raise one of the subclasses."""

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        hint: str = "",
        metadata: Mapping[str, str] | None = None,
        violations: Sequence[Violation] = (),
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.hint = hint
        self.metadata: dict[str, str] = dict(metadata or {})
        self.violations: tuple[Violation, ...] = tuple(violations)
        self.retry_after_s = retry_after_s

    def __reduce__(self) -> tuple[object, ...]:
        """Whole across processes: an exception would be made again from its message alone."""
        return type(self), (self.reason, self.message), self.__dict__

    def __str__(self) -> str:
        text = f"{self.reason}: {self.message}"
        return f"{text} ({self.hint})" if self.hint else text


class InvalidRequest(QmtlError):
    """The request itself is wrong; sending it again changes nothing."""


class OutOfRange(InvalidRequest):
    """A position to go on from lies outside what is kept; start again from a snapshot or a later one."""


class Unauthenticated(QmtlError):
    """No valid token came with the call."""


class PermissionDenied(QmtlError):
    """The caller is known and may not do this."""


class NotFound(QmtlError):
    """The thing named does not exist, or not for this caller."""


class Conflict(QmtlError):
    """The state moved on: a stale etag, epoch or revision. Read again, then decide."""


class AlreadyExists(Conflict):
    """The thing to be created is there already; the metadata names it."""


class NotReady(QmtlError):
    """The request is fine and the system's present state does not allow it."""


class Exhausted(QmtlError):
    """A limit was met; `retry_after_s` says when to try again."""


class Unavailable(QmtlError):
    """A dependency cannot be reached; an idempotent call may be tried again."""


class DeadlineExceeded(QmtlError):
    """Time ran out; whether the act took place is unknown."""


class DataLoss(QmtlError):
    """What was stored is damaged: its bytes or its content are not those that were written."""


class NotBuilt(QmtlError):
    """The contract names this call and this version does not serve it yet."""


def refused(
    reason: str, field: str, value: object, want: str, *, hint: str = "", metadata: Mapping[str, str] | None = None
) -> InvalidRequest:
    """The error of one field that is wrong; a long value is cut."""
    shown = str(value)
    violation = Violation(field, shown if len(shown) <= SHOWN_MAX else shown[: SHOWN_MAX - 3] + "...", want)
    return InvalidRequest(reason, str(violation), hint=hint, metadata=metadata, violations=(violation,))
