"""Writes docs/errors.md from the registry of reasons, proto/qmtl/common/v1/reasons.proto."""

import subprocess
import sys
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.rpc import code_pb2

from qmtl.common.v1 import options_pb2 as optionspb

ROOT = Path(__file__).resolve().parent.parent
REGISTRY = "qmtl/common/v1/reasons.proto"
ENUM, VALUE = 5, 2  # field numbers of FileDescriptorProto.enum_type and EnumDescriptorProto.value
HEAD = """# Errors

Every error has a gRPC code, a message for people and, in `google.rpc.ErrorInfo` of domain `qmtl`, a reason for
programs. This table is made from `proto/qmtl/common/v1/reasons.proto` by `python -m tools.error_table`; there each
reason is an enum value with these facts as options. Details beside ErrorInfo: `BadRequest` names the fields that are
wrong by whole paths (`dag.nodes[3].params.world`), `RetryInfo` says when to try again, `RequestInfo` has the id in the
logs. A status without ErrorInfo comes from the transport or a proxy; clients of this project then use `E_` and the
code's name. Undecodable bodies are `E_REQUEST_UNREADABLE`, once the caller is known. A request above the server's
message limit is RESOURCE_EXHAUSTED without details: gRPC refuses it before any code of ours runs.

| reason | code | meaning | what the caller does | metadata |
|---|---|---|---|---|
"""


def registry() -> FileDescriptorProto:
    """The registry's file, with its comments."""
    buf = Path(sys.executable).parent / "buf"
    image = subprocess.run([str(buf), "build", "-o", "-"], cwd=ROOT, capture_output=True, check=True).stdout
    return next(file for file in FileDescriptorSet.FromString(image).file if file.name == REGISTRY)


def error_table() -> str:
    """The page."""
    file = registry()
    comments = {tuple(place.path): place.leading_comments for place in file.source_code_info.location}
    rows = []
    for index, value in enumerate(file.enum_type[0].value):
        if value.number == 0:
            continue
        rule: optionspb.ReasonRule = value.options.Extensions[optionspb.rule]  # type: ignore[index]  # lost in stubs
        cells = (
            f"`{value.name.replace('REASON_', 'E_', 1)}`",
            code_pb2.Code.Name(rule.code),
            " ".join(comments[ENUM, 0, VALUE, index].split()),
            rule.action,
            ", ".join(rule.metadata),
        )
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n")
    return HEAD + "".join(rows)


if __name__ == "__main__":
    (ROOT / "docs" / "errors.md").write_text(error_table())
