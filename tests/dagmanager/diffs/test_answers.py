"""Stored answers are kept while they are used."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from dagmanager.diffs import answers
from dagmanager.tables import diffs
from tests.dagmanager.estate import Estate, assignments
from tests.dagmanager.graphs import NOW, chain


async def test_old_answers_are_forgotten_and_used_ones_kept(estate: Estate) -> None:
    later = NOW + answers.KEEP + timedelta(seconds=1)
    await estate.diff(chain(1), request_id="old")
    await estate.diff(chain(1), request_id="new", now=later)
    assert await estate.write(lambda conn: answers.prune(conn, later)) > 0
    left = await estate.db.read(lambda conn: list(conn.execute(sa.select(diffs.c.request_id)).scalars()))
    assert left == ["new"]
    assert assignments(await estate.diff(chain(1), request_id="new", now=later))
