"""Tells dossiers in parts that fit a message, with the digest of all lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from qmtl.core.errors import refused
from qmtl.core.identity.canonical import digest
from qmtl.core.roles import Role
from qmtl.wire.instants import instant_from_proto, instant_to_proto
from qmtl.world.v1 import campaign_service_pb2 as campaignservicepb
from qmtl.world.v1 import dossier_pb2 as dossierpb
from worldservice.campaigns.dossier.checking import DossierChecker, Verified
from worldservice.campaigns.dossier.lines import Line, dossier_lines
from worldservice.campaigns.dossier.reading import read_record
from worldservice.worlds.acts import world_to_read
from worldservice.worlds.domain.binding import require_strategy_id
from worldservice.worlds.domain.roles import Caller

PART_BYTES = 256 * 1024
LINE_MAX = 16_384  # as much as the audit log keeps of a detail


@dataclass(frozen=True, slots=True)
class Dossiers:
    """Reads, writes and, where it is asked for, checks dossiers."""

    checker: DossierChecker

    async def told(
        self, request: campaignservicepb.GetDossierRequest, caller: Caller, now: datetime
    ) -> Iterator[campaignservicepb.GetDossierResponse]:
        """The parts of a dossier. Raises what GetDossier tells."""
        require_strategy_id(request.strategy_id)
        at = instant_from_proto(request.at, "at") if request.HasField("at") else now
        if at > now:
            raise refused("E_FIELD", "at", at.isoformat(), f"at most {now.isoformat()}: it has not come yet")
        role = Role.OPERATOR if request.verify else Role.READER
        record = await self.checker.maker.writes.db.read(
            lambda conn: read_record(conn, world_to_read(conn, caller, request.world_id, role), request.strategy_id, at)
        )
        verified = await self.checker.verify(record) if request.verify else Verified()
        return _parts([line_to_proto(line) for line in dossier_lines(record)], at, verified)


def line_to_proto(line: Line) -> dossierpb.DossierLine:
    """As the contract tells it."""
    return dossierpb.DossierLine(
        section=line.section,
        text=line.text[:LINE_MAX],
        audit_number=line.sequence,
        time=instant_to_proto(line.time),
    )


def _parts(
    lines: list[dossierpb.DossierLine], at: datetime, verified: Verified
) -> Iterator[campaignservicepb.GetDossierResponse]:
    part, size, whole = campaignservicepb.GetDossierResponse(), 0, list[str]()
    for line in lines:
        whole.append(digest(line.SerializeToString(deterministic=True)))
        if size + line.ByteSize() > PART_BYTES:
            yield part
            part, size = campaignservicepb.GetDossierResponse(), 0
        part.lines.append(line)
        size += line.ByteSize()
    part.at.CopyFrom(instant_to_proto(at))
    part.dossier_hash = digest("\n".join(whole).encode())
    part.differences.extend(verified.differences)
    part.verified_count = verified.count
    yield part
