"""Adding files: read, judged, sealed, kept, and only then a preset. What is refused leaves nothing behind."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from qmtl.core.clock import Clock
from qmtl.core.errors import Conflict, Exhausted, QmtlError, refused
from qmtl.data.v1 import files_pb2 as filespb
from qmtl.sql.database import Database
from seamless.artifacts.ingest import IngestOutcome, judged
from seamless.artifacts.inventory import Inventory
from seamless.presets.preset import Preset
from seamless.presets.uploaded import preset_of
from seamless.sources.files.detection import FileLayout
from seamless.sources.files.uploads import UploadedFile, inflate, read_upload
from seamless.storage.files import write_file
from seamless.uploads import store
from seamless.uploads.wire import upload_from_proto, upload_to_proto

LOOK_S = 5.0
_FINGERPRINT = re.compile(r"sha256:[0-9a-f]{64}")
log = structlog.stdlib.get_logger("qmtl.seamless.uploads")


@dataclass(frozen=True, slots=True)
class Addition:
    """What became of a file: how it was read, what conformance said, and its preset unless it was refused."""

    preset: Preset
    layout: FileLayout
    outcome: IngestOutcome


class Uploads:
    """The added files of this process."""

    def __init__(self, inventory: Inventory, db: Database, folder: Path, uploads_max: int, own_max: int) -> None:
        self._inventory = inventory
        self._db = db
        self._folder = folder
        self._uploads_max = uploads_max
        self._own_max = own_max
        self._known: dict[str, UploadedFile] = {}
        self._records: dict[str, bytes] = {}
        self._adding = asyncio.Lock()

    async def run(self, clock: Clock) -> None:
        """Learn for ever of files that other processes of the store have taken."""
        while True:
            await clock.sleep(LOOK_S)
            try:
                async with self._adding:
                    await self.load()
            except QmtlError as error:
                log.warning("added_files_not_read", reason=error.reason, error=error.message)

    async def load(self) -> None:
        """Make presets of the files that were added before, by whichever process of the store."""
        for body in await self._db.read(store.load_uploads):
            message = filespb.AddedFile.FromString(body)
            if self._records.get(message.name) == body:
                continue
            upload = upload_from_proto(message, self._folder)
            self._know(upload, body)
            await self._inventory.add_sealed(preset_of(upload))

    async def add(self, addition: filespb.FileAddition, giver: str) -> Addition:
        """Take a file of somebody's.

        Raises InvalidRequest (E_FIELD, E_ENUM, E_FILE_LAYOUT, E_CALENDAR_UNKNOWN, E_CALENDAR_RANGE), Conflict
        (E_FILE_CONFLICT), Exhausted (E_FILES_FULL, E_DISK_SMALL).
        """
        said = filespb.AddedFile()
        said.CopyFrom(addition.file)
        said.added_by = giver
        said.sha256 = await asyncio.to_thread(lambda: hashlib.sha256(inflate(addition.content)).hexdigest())
        draft = upload_from_proto(said, self._folder)
        async with self._adding:
            await self.load()
            self._require_room([one.giver for one in self._known.values() if one.name != draft.name], giver)
            return await self._add(draft, addition)

    async def _add(self, draft: UploadedFile, addition: filespb.FileAddition) -> Addition:
        """The file is durable before it is recorded, and never deleted once it may be."""
        await asyncio.to_thread(write_file, draft.path, addition.content)
        try:
            upload, made = await self._judged(draft, addition.expected_fingerprint)
        except BaseException:  # a cancelled call too
            self._drop(draft)
            raise
        if made.outcome.manifest is None:
            self._drop(draft)
            return made
        try:
            await self._inventory.record(made.preset, made.outcome.report, made.outcome.manifest, "")
        except Conflict:
            self._drop(draft)
            raise
        body = upload_to_proto(upload).SerializeToString()

        def check(bodies: Sequence[bytes]) -> None:  # another process may have taken files since
            known = map(filespb.AddedFile.FromString, bodies)
            self._require_room([one.added_by for one in known if one.name != upload.name], upload.giver)

        try:
            await self._db.write(lambda conn: store.save_upload(conn, upload.name, body, check))
        except Exhausted as error:
            if error.reason == "E_FILES_FULL":
                await self.load()  # the same file may be another's by now
                self._drop(draft)
            raise
        self._inventory.add(made.preset)
        before = self._known.get(upload.name)
        self._know(upload, body)
        if before is not None and before.path != upload.path:
            before.path.unlink(missing_ok=True)
        return made

    async def _judged(self, draft: UploadedFile, expected: str) -> tuple[UploadedFile, Addition]:
        raw, layout = await asyncio.to_thread(read_upload, draft)
        upload = replace(draft, hints=replace(draft.hints, interval_s=layout.interval_s))
        preset = preset_of(upload)
        self._require_free(preset)
        newest = await self._inventory.newest(preset)
        schema = await self._inventory.schemas.in_force(preset.dataset.kind.value)
        archive = self._inventory.archive
        outcome = await asyncio.to_thread(
            judged, preset, raw, upload.producer, newest, archive, schema, expected=expected
        )
        return upload, Addition(preset, layout, outcome)

    def _know(self, upload: UploadedFile, body: bytes) -> None:
        self._known[upload.name], self._records[upload.name] = upload, body

    def _require_room(self, others: Sequence[str], giver: str) -> None:
        """Raises Exhausted (E_FILES_FULL); `others` are the givers of the other files. Who gives a file anew has it in
        the place of who gave it before.
        """
        if len(others) >= self._uploads_max:
            raise Exhausted("E_FILES_FULL", f"{len(others)} files were added, want at most {self._uploads_max}")
        if others.count(giver) >= self._own_max:
            text = f"{others.count(giver)} files were added by {giver}, want at most {self._own_max}"
            raise Exhausted("E_FILES_FULL", text)

    def _require_free(self, preset: Preset) -> None:
        """Raises Conflict (E_FILE_CONFLICT) if the name is that of other data."""
        known = self._inventory.presets.find(preset.name)
        if known is None:
            other = next((one for one in self._inventory.presets.all if one.dataset == preset.dataset), None)
            if other is not None:
                raise Conflict("E_FILE_CONFLICT", f"{preset.dataset} is that of preset {other.name}, want another name")
            return
        if preset.name.rpartition(".")[2] not in self._known:
            raise Conflict("E_FILE_CONFLICT", f"{preset.name} is a file of the configuration, want another name")
        if known.dataset != preset.dataset:
            raise Conflict("E_FILE_CONFLICT", f"{preset.name} is {known.dataset}, want another name or the same")

    def _drop(self, draft: UploadedFile) -> None:
        """Forget a file that was refused, unless it is one that was taken before."""
        known = self._known.get(draft.name)
        if known is None or known.path != draft.path:
            draft.path.unlink(missing_ok=True)


def require_addition(addition: filespb.FileAddition) -> None:
    """Raises InvalidRequest (E_FIELD) for an addition without a file, or with no fingerprint where one is said."""
    if not addition.content:
        raise refused("E_FIELD", "content", "empty", "a file")
    expected = addition.expected_fingerprint
    if expected and not _FINGERPRINT.fullmatch(expected):
        raise refused("E_FIELD", "expected_fingerprint", repr(expected[:80]), "sha256: and 64 of 0-9 a-f, or empty")
