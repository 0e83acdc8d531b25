"""Arrow IPC from whoever sends it: what may be far larger in memory than its bytes is found before it is read."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pyarrow as pa

FILE_START, FILE_END = b"ARROW1\0\0", b"ARROW1"
_HEADER, _COMPRESSION = 2, 3  # fields of Arrow's Message and RecordBatch
_OLD_COMPRESSION = b"ARROW:experimental_compression"  # a key of a message's metadata: Arrow 0.17 wrote it there
_BATCHES = 3  # field of Arrow's Footer: a vector of blocks
_BLOCK = struct.Struct("<qi4xq")  # where a batch's message begins, the length of its metadata and of its body
_CONTINUATION = b"\xff\xff\xff\xff"


def has_compressed_batches(stream: bytes) -> bool:
    """Whether a batch of a stream is compressed.

    Raises ArrowException, OSError, ValueError or struct.error for what is no stream.
    """
    messages = pa.ipc.MessageReader.open_stream(stream)
    return any(one.type == "record batch" and _is_compressed(one.metadata.to_pybytes()) for one in messages)


def has_compressed_blocks(file: bytes) -> bool:
    """Whether a batch that the footer of an Arrow file names is compressed.

    Raises ValueError or struct.error for what is no file.
    """
    return any(map(_is_compressed, _metadata_of_blocks(file)))


def _metadata_of_blocks(file: bytes) -> Iterator[bytes]:
    """The metadata of each batch, without what says how long it is."""
    if not file.endswith(FILE_END):
        raise ValueError("a file without an end")
    end = len(file) - len(FILE_END) - 4
    (size,) = struct.unpack_from("<i", file, end)
    if not 0 < size <= end - len(FILE_START):
        raise ValueError(f"a footer of {size} bytes")
    footer = file[end - size : end]
    place = _field(footer, struct.unpack_from("<I", footer, 0)[0], _BATCHES)
    if place is None:
        return
    vector = place + struct.unpack_from("<I", footer, place)[0]
    for number in range(struct.unpack_from("<I", footer, vector)[0]):
        offset, length, _ = _BLOCK.unpack_from(footer, vector + 4 + number * _BLOCK.size)
        if not 0 <= offset <= offset + length <= end:
            raise ValueError(f"a block of {length} bytes at {offset}")
        message = file[offset : offset + length]
        yield message[8 if message.startswith(_CONTINUATION) else 4 :]


def _is_compressed(metadata: bytes) -> bool:
    """Whether the batch that a message of Arrow's flatbuffers describes says how it was compressed."""
    header = _field(metadata, struct.unpack_from("<I", metadata, 0)[0], _HEADER)
    if header is None:
        raise ValueError("a message without a header")
    (inner,) = struct.unpack_from("<I", metadata, header)
    return _OLD_COMPRESSION in metadata or _field(metadata, header + inner, _COMPRESSION) is not None


def _field(buffer: bytes, table: int, number: int) -> int | None:
    """Where a field of a flatbuffers table is; None: it is not there."""
    (back,) = struct.unpack_from("<i", buffer, table)
    (size,) = struct.unpack_from("<H", buffer, table - back)
    if 4 + 2 * number >= size:
        return None
    (offset,) = struct.unpack_from("<H", buffer, table - back + 4 + 2 * number)
    return table + offset if offset else None
