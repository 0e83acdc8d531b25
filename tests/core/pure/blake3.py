"""BLAKE3-256 in plain Python, from section 2 of the paper: a second opinion on the wheel.

It also lets interpreters without the wheel check the identity vectors.
"""

from __future__ import annotations

import struct

IV = (0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19)
PERMUTATION = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
CHUNK_START, CHUNK_END, PARENT, ROOT = 1, 2, 4, 8
MASK = 0xFFFFFFFF
Words = tuple[int, ...]


class blake3:
    """As much of the wheel's class as QMTL uses."""

    def __init__(self, data: bytes = b"") -> None:
        self._data = data

    def digest(self) -> bytes:
        chunks = [self._data[start : start + 1024] for start in range(0, len(self._data), 1024)] or [b""]
        return struct.pack("<8I", *_tree(chunks, 0, ROOT))

    def hexdigest(self) -> str:
        return self.digest().hex()


def _tree(chunks: list[bytes], index: int, flags: int) -> Words:
    if len(chunks) == 1:
        return _chunk(chunks[0], index, flags)
    left = 1 << (len(chunks) - 1).bit_length() - 1
    words = _tree(chunks[:left], index, 0) + _tree(chunks[left:], index + left, 0)
    return _compress(IV, words, 0, 64, PARENT | flags)


def _chunk(data: bytes, index: int, flags: int) -> Words:
    blocks = [data[start : start + 64] for start in range(0, len(data), 64)] or [b""]
    value: Words = IV
    for number, block in enumerate(blocks):
        last = number == len(blocks) - 1
        block_flags = (CHUNK_START if number == 0 else 0) | (CHUNK_END | flags if last else 0)
        words = struct.unpack("<16I", block.ljust(64, b"\0"))
        value = _compress(value, words, index, len(block), block_flags)
    return value


def _compress(value: Words, words: Words, counter: int, length: int, flags: int) -> Words:
    state = [*value, *IV[:4], counter & MASK, counter >> 32 & MASK, length, flags]
    for round_number in range(7):
        for a, b, c, d, pair in (
            (0, 4, 8, 12, 0),
            (1, 5, 9, 13, 2),
            (2, 6, 10, 14, 4),
            (3, 7, 11, 15, 6),
            (0, 5, 10, 15, 8),
            (1, 6, 11, 12, 10),
            (2, 7, 8, 13, 12),
            (3, 4, 9, 14, 14),
        ):
            _mix(state, (a, b, c, d), words[pair], words[pair + 1])
        if round_number < 6:
            words = tuple(words[position] for position in PERMUTATION)
    return tuple(state[position] ^ state[position + 8] for position in range(8))


def _mix(state: list[int], at: tuple[int, int, int, int], x: int, y: int) -> None:
    a, b, c, d = at
    for word, (first, second) in ((x, (16, 12)), (y, (8, 7))):
        state[a] = state[a] + state[b] + word & MASK
        state[d] = _rotate(state[d] ^ state[a], first)
        state[c] = state[c] + state[d] & MASK
        state[b] = _rotate(state[b] ^ state[c], second)


def _rotate(word: int, by: int) -> int:
    return (word >> by | word << 32 - by) & MASK
