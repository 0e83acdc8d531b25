"""DeadLetterService: messages no consumer could process, listed and replayed by operators.

Dead letters hold bodies of every world, so a token limited to worlds sees none.
"""

from __future__ import annotations

import structlog

from controlbus.bus import Bus
from controlbus.events.dead_letters import letters, replay
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.control.v1 import dead_letter_service_pb2 as deadletterservicepb
from qmtl.control.v1 import dead_letter_service_pb2_grpc as deadletterrpc
from qmtl.core.errors import refused
from qmtl.core.paging import PAGE_BYTES_MAX
from qmtl.core.roles import Role
from qmtl.rpc.auth.call import current_call, require_all_worlds
from qmtl.wire.paging import page_from_proto, page_token_refused, token_of

log = structlog.stdlib.get_logger("qmtl.controlbus.operator")


class DeadLetterService(deadletterrpc.DeadLetterServiceServicer):
    """Reads and empties the DLQ stream."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def ListDeadLetters(
        self, request: deadletterservicepb.ListDeadLettersRequest, context: object
    ) -> deadletterservicepb.ListDeadLettersResponse:
        require_all_worlds(Role.READER)
        page = page_from_proto(request, (int,))
        before = None if page.after is None else page.after[0]
        if before is not None and before < 1:
            raise page_token_refused(request.page.page_token)
        found, goes_on_before = await letters(self._bus.link, before, page.size, PAGE_BYTES_MAX)
        info = commonpb.PageInfo(next_page_token=token_of(page, (goes_on_before,)) if goes_on_before else "")
        return deadletterservicepb.ListDeadLettersResponse(dead_letters=found, page=info)

    async def ReplayDeadLetter(
        self, request: deadletterservicepb.ReplayDeadLetterRequest, context: object
    ) -> deadletterservicepb.ReplayDeadLetterResponse:
        require_all_worlds(Role.OPERATOR)
        if not request.dead_letter_sequence:
            raise refused("E_FIELD", "dead_letter_sequence", "0", "the sequence of a dead letter, 1 or more")
        sequence = await replay(self._bus.link, request.dead_letter_sequence)
        log.warning(
            "dead_letter_replayed", letter=request.dead_letter_sequence, sequence=sequence, actor=current_call().actor
        )
        return deadletterservicepb.ReplayDeadLetterResponse(original_stream_sequence=sequence)
