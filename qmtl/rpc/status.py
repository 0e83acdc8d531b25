"""The one table between QMTL's errors and gRPC status, in both directions.

Outward: code, message and google.rpc details (ErrorInfo, BadRequest, RetryInfo, RequestInfo). Inward:
the same class again, so NotFound raised in one service is NotFound in the next. Details are clipped:
a status travels in HTTP/2 trailers, and more than 8 KiB of those would break the call itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import grpc
from google.protobuf import any_pb2, duration_pb2, message
from google.rpc import error_details_pb2, status_pb2
from grpc import aio

from qmtl.core import errors
from qmtl.core.errors import QmtlError, Violation

DOMAIN: Final = "qmtl"
TOKEN_OF: Final = "token"
SERVICE_TOKEN: Final = "service"
DETAILS_KEY: Final = "grpc-status-details-bin"
DETAILS_BYTES_MAX: Final = 4096
MESSAGE_BYTES_MAX: Final = 1024
CUT: Final = "Internal error from Core"  # grpc.aio's word when a write met a call that was over: the status is lost
TEXT_BYTES_MAX: Final = 512
METADATA_ENTRIES_MAX: Final = 16
LONG_KEYS: Final = frozenset({"canonical"})
LONG_BYTES_MAX: Final = 2560  # in base64 beside the rest below 8 KiB, all that Java and Python take of trailers
VIOLATIONS_MAX: Final = 32

CODES: Final[Mapping[type[QmtlError], grpc.StatusCode]] = {
    errors.InvalidRequest: grpc.StatusCode.INVALID_ARGUMENT,
    errors.OutOfRange: grpc.StatusCode.OUT_OF_RANGE,
    errors.Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
    errors.PermissionDenied: grpc.StatusCode.PERMISSION_DENIED,
    errors.NotFound: grpc.StatusCode.NOT_FOUND,
    errors.AlreadyExists: grpc.StatusCode.ALREADY_EXISTS,
    errors.Conflict: grpc.StatusCode.ABORTED,
    errors.NotReady: grpc.StatusCode.FAILED_PRECONDITION,
    errors.Exhausted: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.Unavailable: grpc.StatusCode.UNAVAILABLE,
    errors.DeadlineExceeded: grpc.StatusCode.DEADLINE_EXCEEDED,
    errors.NotBuilt: grpc.StatusCode.UNIMPLEMENTED,
    errors.DataLoss: grpc.StatusCode.DATA_LOSS,
}
# Codes only other stacks or the transport produce; everything else unknown becomes the bare QmtlError.
CLASSES: Final[Mapping[grpc.StatusCode, type[QmtlError]]] = {
    **{code: cls for cls, code in CODES.items()},
    grpc.StatusCode.CANCELLED: errors.Unavailable,
}


# Of errors that came without a reason of ours: from the transport, or from a foreign peer.
REASONS: Final[Mapping[grpc.StatusCode, str]] = {
    grpc.StatusCode.OK: "E_UNKNOWN",
    grpc.StatusCode.CANCELLED: "E_CANCELLED",
    grpc.StatusCode.UNKNOWN: "E_UNKNOWN",
    grpc.StatusCode.INVALID_ARGUMENT: "E_INVALID_ARGUMENT",
    grpc.StatusCode.DEADLINE_EXCEEDED: "E_DEADLINE_EXCEEDED",
    grpc.StatusCode.NOT_FOUND: "E_NOT_FOUND",
    grpc.StatusCode.ALREADY_EXISTS: "E_ALREADY_EXISTS",
    grpc.StatusCode.PERMISSION_DENIED: "E_PERMISSION_DENIED",
    grpc.StatusCode.RESOURCE_EXHAUSTED: "E_RESOURCE_EXHAUSTED",
    grpc.StatusCode.FAILED_PRECONDITION: "E_FAILED_PRECONDITION",
    grpc.StatusCode.ABORTED: "E_ABORTED",
    grpc.StatusCode.OUT_OF_RANGE: "E_OUT_OF_RANGE",
    grpc.StatusCode.UNIMPLEMENTED: "E_UNIMPLEMENTED",
    grpc.StatusCode.INTERNAL: "E_INTERNAL",
    grpc.StatusCode.UNAVAILABLE: "E_UNAVAILABLE",
    grpc.StatusCode.DATA_LOSS: "E_DATA_LOSS",
    grpc.StatusCode.UNAUTHENTICATED: "E_UNAUTHENTICATED",
}


class Status(NamedTuple):
    """What `context.abort_with_status` and grpc-python's sync and aio servers take."""

    code: grpc.StatusCode
    details: str
    trailing_metadata: tuple[tuple[str, bytes], ...]


def code_of(error: QmtlError) -> grpc.StatusCode:
    """The gRPC code of an error: its nearest class in the table, INTERNAL for the bare root."""
    for cls in type(error).__mro__:
        if cls in CODES:
            return CODES[cls]
    return grpc.StatusCode.INTERNAL


def to_status(error: QmtlError, request_id: str = "") -> Status:
    """The status a caller gets for `error`; the bare root of the tree tells nothing of itself."""
    code = code_of(error)
    if code is grpc.StatusCode.INTERNAL:
        return internal_status(request_id)
    details = [_error_info(error), *_optional_details(error), *_request_info(request_id)]
    return _status(code, error.message, details, error.violations)


def internal_status(request_id: str = "") -> Status:
    """The answer to a bug: no text of the exception, only what finds it in the log."""
    return _status(grpc.StatusCode.INTERNAL, "internal error", [*_request_info(request_id)], ())


def from_rpc_error(error: aio.AioRpcError) -> QmtlError:
    """The error a peer raised, as its own class with reason, hint, metadata, violations and retry time."""
    code, text = error.code(), error.details() or ""
    if code is grpc.StatusCode.INTERNAL and text == CUT:
        return errors.Unavailable("E_UNAVAILABLE", "the call ended while a message was being written")
    return from_parts(code, text, error.trailing_metadata())


def from_parts(code: grpc.StatusCode, text: str, trailing: aio.Metadata | None) -> QmtlError:
    """As `from_rpc_error`, of a call whose parts are at hand."""
    info, bad, retry = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
    has_retry = False
    for detail in _details_in(trailing):
        detail.Unpack(info)
        detail.Unpack(bad)
        has_retry |= detail.Unpack(retry)
    metadata = dict(info.metadata)
    if metadata.get(TOKEN_OF) == SERVICE_TOKEN:
        return _own_credentials(info.reason, text, metadata)
    return CLASSES.get(code, QmtlError)(
        info.reason or REASONS[code],
        text,
        hint=metadata.pop("hint", ""),
        metadata=metadata,
        violations=[_violation(item) for item in bad.field_violations],
        retry_after_s=retry.retry_delay.ToTimedelta().total_seconds() if has_retry else None,
    )


def _own_credentials(reason: str, text: str, metadata: dict[str, str]) -> QmtlError:
    """A peer refused the token that this process sends for itself: no user can do anything about that."""
    return errors.Unavailable(
        "E_SERVICE_CREDENTIALS",
        f"a service's own token is refused by its peer: {text}",
        hint="renew the service's token: qmtl prod tokens",
        metadata={"cause": reason, TOKEN_OF: SERVICE_TOKEN},
    )


def _status(
    code: grpc.StatusCode, text: str, details: list[message.Message], violations: tuple[Violation, ...]
) -> Status:
    text = _clip(text, MESSAGE_BYTES_MAX)
    packed = status_pb2.Status(code=code.value[0], message=text)
    for detail in details:
        packed.details.append(_any(detail))
    kept = min(len(violations), VIOLATIONS_MAX)
    while kept:
        bad = _bad_request(violations[:kept], dropped=len(violations) - kept)
        if packed.ByteSize() + bad.ByteSize() + 64 <= DETAILS_BYTES_MAX:
            packed.details.append(_any(bad))
            break
        kept -= 1
    return Status(code, text, ((DETAILS_KEY, packed.SerializeToString()),))


def _any(detail: message.Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(detail)
    return packed


def _error_info(error: QmtlError) -> error_details_pb2.ErrorInfo:
    entries = list(error.metadata.items())[:METADATA_ENTRIES_MAX]
    metadata = {_clip(k, 64): _clip(v, LONG_BYTES_MAX if k in LONG_KEYS else TEXT_BYTES_MAX // 4) for k, v in entries}
    if error.hint:
        metadata["hint"] = _clip(error.hint, TEXT_BYTES_MAX)
    return error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=metadata)


def _optional_details(error: QmtlError) -> list[message.Message]:
    if error.retry_after_s is None:
        return []
    delay = duration_pb2.Duration()
    delay.FromNanoseconds(int(error.retry_after_s * 1e9))
    return [error_details_pb2.RetryInfo(retry_delay=delay)]


def _request_info(request_id: str) -> list[message.Message]:
    return [error_details_pb2.RequestInfo(request_id=request_id)] if request_id else []


def _bad_request(violations: tuple[Violation, ...], dropped: int) -> error_details_pb2.BadRequest:
    bad = error_details_pb2.BadRequest()
    for item in violations:
        value, want = _clip(item.value, TEXT_BYTES_MAX // 2), _clip(item.want, TEXT_BYTES_MAX)
        bad.field_violations.add(field=_clip(item.field, TEXT_BYTES_MAX), description=f"is {value}, want {want}")
    if dropped:
        bad.field_violations.add(field="", description=f"is {dropped} more violations, want none")
    return bad


def _violation(item: error_details_pb2.BadRequest.FieldViolation) -> Violation:
    value, found, want = item.description.partition(", want ")
    return Violation(item.field, value.removeprefix("is ") if found else "", want if found else item.description)


def _details_in(trailing: aio.Metadata | None) -> list[any_pb2.Any]:
    for key, value in trailing or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            return list(_parse(value).details)
    return []


def _parse(raw: bytes) -> status_pb2.Status:
    try:
        return status_pb2.Status.FromString(raw)
    except message.DecodeError:
        return status_pb2.Status()  # a foreign peer's business; code and message still stand


def _clip(text: str, size: int) -> str:
    raw = text.encode("utf-8", "replace")
    return text if len(raw) <= size else raw[: size - 3].decode("utf-8", "ignore") + "..."
