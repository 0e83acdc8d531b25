"""A generated module of a contract, and the service it defines: proto/ has one service a file."""

from __future__ import annotations

from typing import Protocol

from google.protobuf.descriptor import FileDescriptor, ServiceDescriptor


class Contract(Protocol):
    """A generated module of a contract's file."""

    DESCRIPTOR: FileDescriptor


def service_of(contract: Contract) -> ServiceDescriptor:
    """The only service of a contract's file. Raises ValueError when the file has none or several."""
    (service,) = contract.DESCRIPTOR.services_by_name.values()
    return service
