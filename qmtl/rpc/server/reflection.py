"""Server reflection, v1 and v1alpha: the same answers under both names, for grpcurl and other clients without stubs.

The descriptors are those of this process's default pool; only services that the server was given are listed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any, Final

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import FileDescriptor
from grpc_reflection.v1alpha import reflection_pb2 as alphapb

from qmtl.reflection.v1 import reflection_pb2 as reflectionpb
from qmtl.rpc.server.handlers import Handlers

SERVICE: Final = reflectionpb.DESCRIPTOR.services_by_name["ServerReflection"].full_name
ALPHA_SERVICE: Final = alphapb.DESCRIPTOR.services_by_name["ServerReflection"].full_name
METHOD: Final = "ServerReflectionInfo"

Request = reflectionpb.ServerReflectionRequest
Response = reflectionpb.ServerReflectionResponse


def add_reflection(services: Iterable[str], handlers: Handlers) -> None:
    """Serve reflection of these services; the messages of v1 and v1alpha have the same bytes."""
    handler = grpc.stream_stream_rpc_method_handler(
        Reflection([*services, SERVICE, ALPHA_SERVICE]).answer_all, Request.FromString, Response.SerializeToString
    )
    for name in (SERVICE, ALPHA_SERVICE):
        handlers.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, {METHOD: handler}),))


class Reflection:
    """Answers about the contracts in the default pool."""

    def __init__(self, services: Iterable[str]) -> None:
        self._services = sorted(services)
        self._pool: Any = descriptor_pool.Default()  # the stubs lack half of its methods

    async def answer_all(self, requests: AsyncIterator[Request], context: object) -> AsyncIterator[Response]:
        """One answer for each request, in order."""
        async for request in requests:
            answer = self._answer(request)
            answer.original_request.CopyFrom(request)
            yield answer

    def _answer(self, request: Request) -> Response:
        try:
            match request.WhichOneof("message_request"):
                case "file_by_filename":
                    return _files(self._pool.FindFileByName(request.file_by_filename))
                case "file_containing_symbol":
                    return _files(self._file_of(request.file_containing_symbol))
                case "file_containing_extension":
                    asked = request.file_containing_extension
                    extended = self._pool.FindMessageTypeByName(asked.containing_type)
                    return _files(self._pool.FindExtensionByNumber(extended, asked.extension_number).file)
                case "all_extension_numbers_of_type":
                    return self._extensions(request.all_extension_numbers_of_type)
                case "list_services":
                    listed = [reflectionpb.ServiceResponse(name=name) for name in self._services]
                    return Response(list_services_response=reflectionpb.ListServiceResponse(service=listed))
                case _:
                    return _error(grpc.StatusCode.INVALID_ARGUMENT, "no question in the request")
        except KeyError:
            return _error(grpc.StatusCode.NOT_FOUND, "not in the contracts of this server")

    def _file_of(self, symbol: str) -> FileDescriptor:
        """The file that declares a symbol. Raises KeyError; the pool itself finds no methods."""
        parent, _, name = symbol.rpartition(".")
        try:
            found: FileDescriptor = self._pool.FindFileContainingSymbol(symbol)
        except KeyError:
            service = self._pool.FindServiceByName(parent)
            found = service.methods_by_name[name].containing_service.file
        return found

    def _extensions(self, name: str) -> Response:
        extended = self._pool.FindMessageTypeByName(name)
        numbers = sorted(extension.number for extension in self._pool.FindAllExtensions(extended))
        answer = reflectionpb.ExtensionNumberResponse(base_type_name=name, extension_number=numbers)
        return Response(all_extension_numbers_response=answer)


def _files(file: FileDescriptor) -> Response:
    """A file and all that it imports, each once."""
    wanted = {found.name: found for found in _with_imports(file, set())}
    texts = []
    for found in wanted.values():
        proto = descriptor_pb2.FileDescriptorProto()
        found.CopyToProto(proto)
        texts.append(proto.SerializeToString())
    return Response(file_descriptor_response=reflectionpb.FileDescriptorResponse(file_descriptor_proto=texts))


def _with_imports(file: FileDescriptor, seen: set[str]) -> Iterator[FileDescriptor]:
    if file.name in seen:
        return
    seen.add(file.name)
    yield file
    for imported in file.dependencies:
        yield from _with_imports(imported, seen)


def _error(code: grpc.StatusCode, message: str) -> Response:
    return Response(error_response=reflectionpb.ErrorResponse(error_code=code.value[0], error_message=message))
