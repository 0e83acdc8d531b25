"""Every service of every contract, as descriptors."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

from google.protobuf.descriptor import ServiceDescriptor

AREAS = ("control", "dag", "world", "broker", "data", "gateway", "risk")


def services(*areas: str) -> Iterator[ServiceDescriptor]:
    """The services of some areas; none named: of all."""
    for area in areas or AREAS:
        package = importlib.import_module(f"qmtl.{area}.v1")
        for module in pkgutil.iter_modules(package.__path__):
            if module.name.endswith("_pb2"):
                file = importlib.import_module(f"{package.__name__}.{module.name}").DESCRIPTOR
                yield from file.services_by_name.values()
