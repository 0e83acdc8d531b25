"""What the contracts say about each RPC: who may call it, whether it only reads, whether it may be retried.

Read from method options at start, so a method without an audience stops the server, not a user.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor

from qmtl.common.v1 import options_pb2 as optionspb
from qmtl.core.errors import InvalidRequest

REQUEST_BYTES_DEFAULT = 64 * 1024
CHUNK_MESSAGE_BYTES_MAX = 512 * 1024  # of a chunk with what is around it; what it may have of its payload is less
NO_SIDE_EFFECTS = descriptor_pb2.MethodOptions.NO_SIDE_EFFECTS
IDEMPOTENT = descriptor_pb2.MethodOptions.IDEMPOTENT


class Audience(Enum):
    """Who may call: anyone, anyone with a valid token, users, services."""

    OPEN = "open"
    ANY_TOKEN = "any token"
    PUBLIC = "public"
    SERVICE = "service"


@dataclass(frozen=True, slots=True)
class ChunkRule:
    """What an RPC that takes a payload in chunks says of it: its most bytes, and whether metadata names its worlds."""

    total_bytes_max: int
    names_worlds: bool = False


@dataclass(frozen=True, slots=True)
class MethodRule:
    """One RPC. `part` names who will build it when it is planned only, else it is empty.

    `request_bytes_max` is of one message; `reserved` calls are served when the others' places are all taken.
    """

    name: str
    audience: Audience
    read: bool = False
    part: str = ""
    request_bytes_max: int = REQUEST_BYTES_DEFAULT
    reserved: bool = False
    chunked: ChunkRule | None = None


STANDARD_RULES: Mapping[str, MethodRule] = {
    rule.name: rule
    for rule in (
        MethodRule("/grpc.health.v1.Health/Check", Audience.OPEN, read=True),
        MethodRule("/grpc.health.v1.Health/Watch", Audience.OPEN, read=True),
        MethodRule("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", Audience.ANY_TOKEN, read=True),
        MethodRule("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", Audience.ANY_TOKEN, read=True),
    )
}
_AUDIENCES = {optionspb.AUDIENCE_PUBLIC: Audience.PUBLIC, optionspb.AUDIENCE_SERVICE: Audience.SERVICE}


def rules_of(service: ServiceDescriptor, planned: Mapping[str, str]) -> list[MethodRule]:
    """The rules of every RPC of a service.

    Raises InvalidRequest (E_AUDIENCE_MISSING, E_PLANNED_UNKNOWN): the contract or the composition is wrong.
    """
    unknown = sorted(set(planned) - set(service.methods_by_name))
    if unknown:
        raise InvalidRequest("E_PLANNED_UNKNOWN", f"{service.full_name} has no RPC {', '.join(unknown)}")
    return [_rule(method, planned.get(method.name, "")) for method in service.methods]


def _rule(method: MethodDescriptor, part: str) -> MethodRule:
    options = method.GetOptions()
    audience = _AUDIENCES.get(options.Extensions[optionspb.audience])  # type: ignore[index]  # protoc's stubs lose the extension's type
    name = full_name(method)
    if audience is None:
        raise InvalidRequest(
            "E_AUDIENCE_MISSING",
            f"{name} states no audience",
            hint="add option (qmtl.common.v1.audience) to the method in its .proto file",
        )
    chunked = _chunk_rule(options)
    default = REQUEST_BYTES_DEFAULT if chunked is None else CHUNK_MESSAGE_BYTES_MAX
    return MethodRule(
        name,
        audience,
        read=options.idempotency_level == NO_SIDE_EFFECTS,
        part=part,
        request_bytes_max=options.Extensions[optionspb.request_bytes_max] or default,  # type: ignore[index]  # as above
        reserved=options.Extensions[optionspb.reserved],  # type: ignore[index]  # as above
        chunked=chunked,
    )


def _chunk_rule(options: descriptor_pb2.MethodOptions) -> ChunkRule | None:
    if not options.HasExtension(optionspb.chunked):  # type: ignore[arg-type]  # protoc's stubs lose the extension's type
        return None
    stated: optionspb.Chunked = options.Extensions[optionspb.chunked]  # type: ignore[index]  # as above
    return ChunkRule(stated.total_bytes_max, stated.names_worlds)


def full_name(method: MethodDescriptor) -> str:
    """As it stands on the wire: /package.Service/Method."""
    return f"/{method.containing_service.full_name}/{method.name}"


def may_retry(method: str) -> bool:
    """Whether the contract calls an RPC idempotent; one whose contract is not loaded is not retried."""
    service, _, name = method.removeprefix("/").partition("/")
    try:
        found = descriptor_pool.Default().FindServiceByName(service)
    except KeyError:
        return False
    if name not in found.methods_by_name:
        return False
    level = found.methods_by_name[name].GetOptions().idempotency_level
    return level in (NO_SIDE_EFFECTS, IDEMPOTENT)


def by_name(rules: Iterable[MethodRule]) -> dict[str, MethodRule]:
    """Index rules by full name."""
    return {rule.name: rule for rule in rules}
