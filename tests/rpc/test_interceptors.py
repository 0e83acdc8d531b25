"""The layers around every RPC, each for all four kinds, over a real connection."""

from __future__ import annotations

import pytest

from qmtl.core.errors import NotFound
from tests.rpc.echo import KINDS
from tests.rpc.mesh import Mesh

every_kind = pytest.mark.parametrize("kind", KINDS)


@every_kind
async def test_a_call_of_each_kind_goes_through(mesh: Mesh, kind: str) -> None:
    stub = await mesh.stub(await mesh.serve())
    assert await stub.say(kind, "a b c") == "A B C"


@every_kind
async def test_an_error_of_the_tree_arrives_as_itself(mesh: Mesh, kind: str) -> None:
    async def act(text: str) -> str:
        raise NotFound("E_UNKNOWN_WORLD", f"no world {text}", hint="list them", metadata={"world_id": text})

    stub = await mesh.stub(await mesh.serve(act))
    with pytest.raises(NotFound) as caught:
        await stub.say(kind, "w1")
    error = caught.value
    assert (error.reason, error.message, error.hint, error.metadata) == (
        "E_UNKNOWN_WORLD",
        "no world w1",
        "list them",
        {"world_id": "w1"},
    )
