"""Dead letters, listed and replayed over a real wire."""

from __future__ import annotations

import pytest

from controlbus.jetstream.subjects import control_subject
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.control.v1 import dead_letter_service_pb2 as deadletterservicepb
from qmtl.core.errors import InvalidRequest, NotFound, PermissionDenied
from qmtl.core.paging import Page
from qmtl.core.roles import Role
from qmtl.wire.paging import page_from_proto, token_of
from tests.controlbus.operator.serving import ServedBus
from tests.controlbus.states import unique
from tests.support.waiting import eventually

KIND = "policy_updated"


async def test_dead_letters_are_listed_newest_first_and_replayed_by_an_operator(served: ServedBus) -> None:
    key, durable = unique("w"), unique("d")
    reader, operator = served.stubs(Role.READER), served.stubs(Role.OPERATOR)
    async with served.bus.subscribe([KIND], keys=[key], durable=durable):
        for name in (b"\xff1", b"\xff2", b"\xff3"):
            await served.bus.publish(control_subject(KIND, key), name, msg_id=unique("m"))

        async def mine() -> list[deadletterservicepb.DeadLetter]:
            found: list[deadletterservicepb.DeadLetter] = []
            token = ""
            while True:
                page = commonpb.PageRequest(page_size=1, page_token=token)
                reply = await reader.letters.ListDeadLetters(deadletterservicepb.ListDeadLettersRequest(page=page))
                found += [letter for letter in reply.dead_letters if letter.consumer == durable]
                token = reply.page.next_page_token
                if not token:
                    return found

        async def all_there() -> bool:
            return len(await mine()) == 3

        await eventually(all_there)
        letters = await mine()
        assert [letter.body for letter in letters] == [b"\xff3", b"\xff2", b"\xff1"]
        assert letters[0].message.startswith("not a ControlEvent")
    with pytest.raises(PermissionDenied, match="E_ROLE_REQUIRED"):
        await reader.letters.ReplayDeadLetter(
            deadletterservicepb.ReplayDeadLetterRequest(dead_letter_sequence=letters[0].dead_letter_sequence)
        )
    before = (await served.bus.link.js.stream_info("CONTROL")).state.last_seq
    replayed = await operator.letters.ReplayDeadLetter(
        deadletterservicepb.ReplayDeadLetterRequest(dead_letter_sequence=letters[0].dead_letter_sequence)
    )
    assert replayed.original_stream_sequence > before
    assert [letter.body for letter in await mine()] == [b"\xff2", b"\xff1"]
    with pytest.raises(NotFound, match="E_DEAD_LETTER_UNKNOWN"):
        await operator.letters.ReplayDeadLetter(
            deadletterservicepb.ReplayDeadLetterRequest(dead_letter_sequence=letters[0].dead_letter_sequence)
        )
    with pytest.raises(PermissionDenied, match="E_WORLD_FORBIDDEN"):
        await served.stubs(worlds=["w1"]).letters.ListDeadLetters(deadletterservicepb.ListDeadLettersRequest())


PAGE: Page[tuple[str | int, ...]] = Page(
    query=page_from_proto(deadletterservicepb.ListDeadLettersRequest(), (int,)).query
)


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "0",
        "é",
        "9" * 4301,
        token_of(PAGE, (0,)),
        token_of(PAGE, (-1,)),
        token_of(PAGE, (2**63,)),
        token_of(PAGE, ("1",)),
        token_of(PAGE, (1, 2)),
    ],
)
async def test_a_foreign_page_token_is_refused(served: ServedBus, token: str) -> None:
    request = deadletterservicepb.ListDeadLettersRequest(page=commonpb.PageRequest(page_token=token))
    with pytest.raises(InvalidRequest, match="E_PAGE_TOKEN"):
        await served.stubs().letters.ListDeadLetters(request)


async def test_a_replay_names_a_letter(served: ServedBus) -> None:
    with pytest.raises(InvalidRequest, match="E_FIELD"):
        await served.stubs().letters.ReplayDeadLetter(deadletterservicepb.ReplayDeadLetterRequest())
