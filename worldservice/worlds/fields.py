"""Proto and domain, both ways, for the small words all messages share; and the paging of listings.

An enum value that is unspecified or unknown is refused here, never guessed; an absent time is None.
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from enum import Enum
from typing import Protocol, TypeVar

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core import errors
from qmtl.core.errors import InvalidRequest
from qmtl.core.modes import EffectiveMode, ExecutionDomain
from qmtl.wire import instants
from qmtl.wire.contexts import DOMAIN_NUMBERS, DOMAINS, MODE_NUMBERS, MODES
from qmtl.wire.fields import known_enum
from worldservice.worlds.domain.paging import Page

PAGE_DEFAULT = 100
PAGE_MAX = 1000
BIG_MAX = 2**63 - 1  # of a number in the store

E = TypeVar("E", bound=Enum)
T = TypeVar("T")


class EnumNames(Protocol):
    """What protobuf's EnumTypeWrapper offers; its stub type is generic over each enum."""

    def Name(self, number: int) -> str: ...  # protobuf's spelling


def enum_from_proto(number: int, names: EnumNames, prefix: str, cls: type[E], field: str) -> E:
    """The domain's word of an enum number. Raises InvalidRequest (E_ENUM)."""
    try:
        name = names.Name(number).removeprefix(prefix)
    except ValueError:
        name = str(number)
    if name not in cls.__members__:
        raise errors.refused("E_ENUM", field, name, f"one of {', '.join(cls.__members__)}")
    return cls[name]


def instant_to_proto(value: datetime | None) -> Timestamp | None:
    return None if value is None else instants.instant_to_proto(value)


def span_to_proto(value: timedelta) -> Duration:
    span = Duration()
    span.FromTimedelta(value)
    return span


def require_text(value: str, field: str, length_max: int = 200) -> str:
    """Raises InvalidRequest (E_FIELD) for an empty, blank, overlong or unprintable text."""
    if not value or len(value) > length_max or not value.isprintable() or value.isspace():
        want = f"1 to {length_max} printable characters, not all blank"
        raise errors.refused("E_FIELD", field, repr(value[:80]), want)
    return value


def optional_text(value: str, field: str) -> str:
    """Raises InvalidRequest (E_FIELD) for a text that is not empty and not fit either."""
    return require_text(value, field) if value else ""


def require_big(value: int, field: str) -> int:
    """Raises InvalidRequest (E_FIELD) for a number that no store has."""
    if value > BIG_MAX:
        raise errors.refused("E_FIELD", field, str(value), f"at most {BIG_MAX}")
    return value


def page_from_proto(message: commonpb.PageRequest, *, numeric: bool = False) -> Page:
    """Raises InvalidRequest (E_PAGE_TOKEN); `numeric`: the token of this listing is a number."""
    size = min(message.page_size or PAGE_DEFAULT, PAGE_MAX)
    try:
        after = base64.b64decode(message.page_token.encode(), altchars=b"-_", validate=True).decode()
        if (numeric and after and not 0 <= int(after) <= BIG_MAX) or not after.isprintable():
            raise ValueError(after)
    except (binascii.Error, ValueError):
        raise InvalidRequest(
            "E_PAGE_TOKEN",
            "page.page_token is not a token of this listing, want next_page_token of the page before or nothing",
        ) from None
    return Page(size, after)


def page_of(rows: Sequence[T], page: Page, key: Callable[[T], str]) -> tuple[Sequence[T], commonpb.PageInfo]:
    """The rows that fit (a listing reads one more than it shows) and where to go on."""
    shown = rows[: page.size]
    if len(rows) <= page.size:
        return shown, commonpb.PageInfo()
    token = base64.urlsafe_b64encode(key(shown[-1]).encode()).decode()
    return shown, commonpb.PageInfo(next_page_token=token)


def domain_to_proto(domain: ExecutionDomain) -> commonpb.ExecutionDomain:
    return DOMAIN_NUMBERS[domain]


def domain_from_proto(number: commonpb.ExecutionDomain, field: str) -> ExecutionDomain:
    return known_enum(DOMAINS, number, field)


def mode_to_proto(mode: EffectiveMode) -> commonpb.EffectiveMode:
    return MODE_NUMBERS[mode]


def mode_from_proto(number: commonpb.EffectiveMode, field: str) -> EffectiveMode:
    return known_enum(MODES, number, field)
