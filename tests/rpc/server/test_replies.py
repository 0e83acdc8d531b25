"""Replies: one that is larger than every client takes is refused by name, whatever the kind of its RPC."""

from __future__ import annotations

import pytest

from qmtl.core.errors import Exhausted
from qmtl.rpc.client.channel import REPLY_BYTES_MAX
from qmtl.rpc.server.inbound import Limits
from tests.rpc.echo import KINDS
from tests.rpc.mesh import Mesh, peer, user
from tests.rpc.server.test_requests import send

FRAME = 4  # of a StringValue's text: its tag, and its length in three bytes


@pytest.mark.parametrize("kind", KINDS)
async def test_a_reply_is_one_message_of_a_mebibyte_at_most(mesh: Mesh, kind: str) -> None:
    async def many(text: str) -> str:
        return "x" * int(text)

    server = await mesh.serve(many)
    channel = await mesh.channel(server, as_user=user(mesh.home), as_service=peer(mesh.home))

    async def ask(size: int) -> int:
        reply = await send(channel, kind, bytes([10, len(str(size))]) + str(size).encode())
        return len(reply if isinstance(reply, bytes) else reply[0])

    assert await ask(REPLY_BYTES_MAX - FRAME) == REPLY_BYTES_MAX == Limits().reply_bytes_max
    with pytest.raises(Exhausted) as caught:
        await ask(REPLY_BYTES_MAX - FRAME + 1)
    assert caught.value.reason == "E_REPLY_TOO_LARGE"
    assert f"{REPLY_BYTES_MAX + 1} bytes" in caught.value.message
