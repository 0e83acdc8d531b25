from qmtl.common.v1 import options_pb2 as _options_pb2
from qmtl.data.v1 import artifacts_pb2 as _artifacts_pb2
from qmtl.data.v1 import bars_pb2 as _bars_pb2
from qmtl.data.v1 import conformance_pb2 as _conformance_pb2
from qmtl.data.v1 import datasets_pb2 as _datasets_pb2
from qmtl.data.v1 import files_pb2 as _files_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AddFileRequest(_message.Message):
    __slots__ = ("chunk",)
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    chunk: bytes
    def __init__(self, chunk: _Optional[bytes] = ...) -> None: ...

class AddFileResponse(_message.Message):
    __slots__ = ("preset", "layout", "report", "first_bars", "refusal", "artifact")
    PRESET_FIELD_NUMBER: _ClassVar[int]
    LAYOUT_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    FIRST_BARS_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    ARTIFACT_FIELD_NUMBER: _ClassVar[int]
    preset: _datasets_pb2.Preset
    layout: _files_pb2.FileLayout
    report: _conformance_pb2.ConformanceReport
    first_bars: _containers.RepeatedCompositeFieldContainer[_bars_pb2.Bar]
    refusal: str
    artifact: _artifacts_pb2.Artifact
    def __init__(self, preset: _Optional[_Union[_datasets_pb2.Preset, _Mapping]] = ..., layout: _Optional[_Union[_files_pb2.FileLayout, _Mapping]] = ..., report: _Optional[_Union[_conformance_pb2.ConformanceReport, _Mapping]] = ..., first_bars: _Optional[_Iterable[_Union[_bars_pb2.Bar, _Mapping]]] = ..., refusal: _Optional[str] = ..., artifact: _Optional[_Union[_artifacts_pb2.Artifact, _Mapping]] = ...) -> None: ...
