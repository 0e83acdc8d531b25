"""The handlers of one server, found by the name of their service.

grpc.aio waits for the next call of each registered method by itself: it makes a task for each, and goes through all of
them whenever a call comes. With a hundred methods that costs more than the rest of a small call. What is not registered
is waited for once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import grpc


class Handlers(grpc.GenericRpcHandler):
    """Takes the place of the server in a generated `add_XServicer_to_server`."""

    def __init__(self) -> None:
        self._of: dict[str, grpc.ServiceRpcHandler] = {}
        self._others: list[grpc.GenericRpcHandler] = []

    def add_generic_rpc_handlers(self, handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        """Serve what these answer for."""
        for handler in handlers:
            if isinstance(handler, grpc.ServiceRpcHandler):
                self._of[handler.service_name()] = handler
            else:
                self._others.append(handler)

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, object]) -> None:
        """Generated code gives the same methods as a generic handler before it: they are found by that."""

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        """The handler of a call; None where there is none."""
        of = self._of.get(handler_call_details.method[1:].rpartition("/")[0])
        if of is not None:
            return of.service(handler_call_details)
        found = (other.service(handler_call_details) for other in self._others)
        return next((handler for handler in found if handler is not None), None)
