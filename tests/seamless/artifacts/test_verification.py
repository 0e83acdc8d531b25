"""Sealed files read again: one changed byte anywhere is found, and nothing is mended."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from qmtl.calendars.calendars import AlwaysOpen
from qmtl.core.errors import PermissionDenied
from qmtl.core.roles import Role
from qmtl.data.v1 import artifact_service_pb2 as artifactservicepb
from seamless.artifacts.archive import Archive
from seamless.artifacts.verification import damages
from seamless.domain.manifests import Manifest, seal
from tests.seamless.asking import DEMO
from tests.seamless.samples import judge, raw_of, walk
from tests.seamless.serving import Seamless


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path)


@pytest.fixture
def manifest(archive: Archive) -> Manifest:
    bars, report = judge(raw_of(walk(500)))
    manifest = seal(bars, report, AlwaysOpen(), producer="test")
    archive.write(manifest, bars)
    return manifest


def test_what_is_whole_is_well(archive: Archive, manifest: Manifest) -> None:
    assert damages(archive, manifest) == []


def test_a_flipped_bit_anywhere_is_found(archive: Archive, manifest: Manifest, tmp_path: Path) -> None:
    noise = random.Random(3)
    for path in sorted(tmp_path.rglob("*.*")):
        content = path.read_bytes()
        for place in [0, len(content) - 2, *(noise.randrange(len(content)) for _ in range(40))]:
            if content[place : place + 1].isspace():
                continue  # of JSON, white space is free
            broken = bytearray(content)
            broken[place] ^= 1
            path.write_bytes(broken)
            assert damages(archive, manifest), (path, place)
        path.write_bytes(content)
    assert damages(archive, manifest) == []


def test_files_that_are_gone_are_named(archive: Archive, manifest: Manifest, tmp_path: Path) -> None:
    leaf = next(tmp_path.rglob("*.parquet"))
    leaf.unlink()
    assert damages(archive, manifest) == [f"{leaf} is gone"]
    archive.manifest_path(manifest).unlink()
    assert damages(archive, manifest) == [f"{archive.manifest_path(manifest)} is gone"]


async def test_a_dataset_is_verified_through_the_contract(seamless: Seamless) -> None:
    stub, request = await seamless.stubs(), artifactservicepb.VerifyDatasetRequest(dataset=DEMO)
    reply = await stub.artifacts.VerifyDataset(request)
    assert (reply.artifacts, reply.stored_files, list(reply.damages)) == (1, 0, [])
    [path, *_] = sorted((seamless.home / "data").rglob("*.parquet"))
    path.write_bytes(path.read_bytes()[:-1])
    assert str(path) in (await stub.artifacts.VerifyDataset(request)).damages[0]
    with pytest.raises(PermissionDenied):
        await (await seamless.stubs(Role.READER)).artifacts.VerifyDataset(request)
