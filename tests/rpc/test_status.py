"""The status table: each class has its code and comes back as itself, with everything it carried."""

from __future__ import annotations

import grpc
import pytest
from google.rpc import status_pb2
from grpc import aio
from hypothesis import given
from hypothesis import strategies as st

from qmtl.core import errors
from qmtl.core.errors import QmtlError, Violation
from qmtl.rpc.status import CODES, DETAILS_BYTES_MAX, Status, code_of, from_rpc_error, to_status

PAIRS = [
    (errors.InvalidRequest, grpc.StatusCode.INVALID_ARGUMENT),
    (errors.OutOfRange, grpc.StatusCode.OUT_OF_RANGE),
    (errors.Unauthenticated, grpc.StatusCode.UNAUTHENTICATED),
    (errors.PermissionDenied, grpc.StatusCode.PERMISSION_DENIED),
    (errors.NotFound, grpc.StatusCode.NOT_FOUND),
    (errors.AlreadyExists, grpc.StatusCode.ALREADY_EXISTS),
    (errors.Conflict, grpc.StatusCode.ABORTED),
    (errors.NotReady, grpc.StatusCode.FAILED_PRECONDITION),
    (errors.Exhausted, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (errors.Unavailable, grpc.StatusCode.UNAVAILABLE),
    (errors.DeadlineExceeded, grpc.StatusCode.DEADLINE_EXCEEDED),
    (errors.NotBuilt, grpc.StatusCode.UNIMPLEMENTED),
    (errors.DataLoss, grpc.StatusCode.DATA_LOSS),
]
# Words without the separator of value and want, which a reader of descriptions would stumble over too.
words = st.text(st.characters(codec="utf-8", exclude_characters=",", exclude_categories=["Cs", "Cc"]), max_size=40)


def sent(status: Status) -> aio.AioRpcError:
    return aio.AioRpcError(status.code, aio.Metadata(), aio.Metadata(*status.trailing_metadata), status.details)


@pytest.mark.parametrize(("cls", "code"), PAIRS)
def test_each_class_has_its_code_both_ways(cls: type[QmtlError], code: grpc.StatusCode) -> None:
    status = to_status(cls("E_REASON", "text"))
    assert status.code is code
    assert type(from_rpc_error(sent(status))) is cls


def test_the_table_has_every_class_of_the_tree() -> None:
    assert {cls for cls, _ in PAIRS} == set(CODES)

    def below(cls: type[QmtlError]) -> set[type[QmtlError]]:
        return {cls, *(item for child in cls.__subclasses__() for item in below(child))}

    tree = {cls for cls in below(QmtlError) if cls.__module__ == errors.__name__}
    assert tree - {QmtlError} == set(CODES)


def test_a_subclass_of_a_room_travels_as_its_parent() -> None:
    class StaleEpoch(errors.Conflict):
        pass

    assert code_of(StaleEpoch("E_STALE_EPOCH", "old")) is grpc.StatusCode.ABORTED


@given(
    cls=st.sampled_from([cls for cls, _ in PAIRS]),
    reason=st.from_regex(r"[A-Z][A-Z0-9_]{0,30}", fullmatch=True),
    message=words,
    hint=words,
    metadata=st.dictionaries(st.from_regex(r"[a-z_]{1,20}", fullmatch=True).filter("hint".__ne__), words, max_size=3),
    violations=st.lists(st.builds(Violation, field=words, value=words, want=words), max_size=4),
    retry=st.none() | st.integers(0, 10**6).map(lambda ms: ms / 1000),
)
def test_what_an_error_carries_survives(
    cls: type[QmtlError],
    reason: str,
    message: str,
    hint: str,
    metadata: dict[str, str],
    violations: list[Violation],
    retry: float | None,
) -> None:
    error = cls(reason, message, hint=hint, metadata=metadata, violations=violations, retry_after_s=retry)
    back = from_rpc_error(sent(to_status(error, "req")))
    assert (back.reason, back.message, back.hint, back.metadata) == (reason, message, hint, metadata)
    assert back.violations == tuple(violations)
    assert back.retry_after_s == pytest.approx(retry)


@given(text=st.text(min_size=1000, max_size=4000), count=st.integers(0, 2000))
def test_no_status_outgrows_the_trailers(text: str, count: int) -> None:
    text = text.encode("utf-8", "replace").decode()
    violations = [Violation(text, text, text)] * count
    status = to_status(
        errors.InvalidRequest("E_X", text, hint=text, metadata={"a": text}, violations=violations), "r" * 64
    )
    ((_, raw),) = status.trailing_metadata
    assert len(raw) <= DETAILS_BYTES_MAX
    assert status_pb2.Status.FromString(raw).code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert from_rpc_error(sent(status)).reason == "E_X"


def test_the_bare_root_says_nothing_of_itself() -> None:
    status = to_status(QmtlError("E_SECRET", "the password is swordfish", hint="swordfish"), "req-1")
    assert status.code is grpc.StatusCode.INTERNAL
    assert b"swordfish" not in status.trailing_metadata[0][1]
    assert b"req-1" in status.trailing_metadata[0][1]


def test_a_foreign_status_without_details_gets_a_reason_from_its_code() -> None:
    error = from_rpc_error(aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, aio.Metadata(), aio.Metadata(), "gone"))
    assert isinstance(error, errors.Unavailable)
    assert (error.reason, error.message, error.retry_after_s) == ("E_UNAVAILABLE", "gone", None)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (grpc.StatusCode.CANCELLED, "E_CANCELLED"),
        (grpc.StatusCode.UNKNOWN, "E_UNKNOWN"),
        (grpc.StatusCode.INVALID_ARGUMENT, "E_INVALID_ARGUMENT"),
        (grpc.StatusCode.ALREADY_EXISTS, "E_ALREADY_EXISTS"),
        (grpc.StatusCode.PERMISSION_DENIED, "E_PERMISSION_DENIED"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "E_RESOURCE_EXHAUSTED"),
        (grpc.StatusCode.FAILED_PRECONDITION, "E_FAILED_PRECONDITION"),
        (grpc.StatusCode.ABORTED, "E_ABORTED"),
        (grpc.StatusCode.OUT_OF_RANGE, "E_OUT_OF_RANGE"),
        (grpc.StatusCode.UNIMPLEMENTED, "E_UNIMPLEMENTED"),
        (grpc.StatusCode.DATA_LOSS, "E_DATA_LOSS"),
        (grpc.StatusCode.UNAUTHENTICATED, "E_UNAUTHENTICATED"),
    ],
)
def test_every_code_without_details_has_a_reason(code: grpc.StatusCode, reason: str) -> None:
    error = from_rpc_error(aio.AioRpcError(code, aio.Metadata(), aio.Metadata(), "x"))
    assert error.reason == reason


def test_broken_details_leave_code_and_message() -> None:
    trailing = aio.Metadata(("grpc-status-details-bin", b"\xff\xff"))
    error = from_rpc_error(aio.AioRpcError(grpc.StatusCode.NOT_FOUND, aio.Metadata(), trailing, "no such"))
    assert isinstance(error, errors.NotFound)
    assert (error.reason, error.message) == ("E_NOT_FOUND", "no such")


@pytest.mark.parametrize("code", [grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN])
def test_a_peers_bug_is_the_bare_root(code: grpc.StatusCode) -> None:
    assert type(from_rpc_error(aio.AioRpcError(code, aio.Metadata(), aio.Metadata(), "x"))) is QmtlError
