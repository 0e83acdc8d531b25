"""Paper accounts: how many a world may have, and whose feeds a status names."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from brokerage.accounts import opening
from brokerage.domain.accounts.account import Account
from qmtl.core.errors import Exhausted
from qmtl.sql.database import Database
from tests.brokerage.samples import ACCOUNT, ACTOR, WORLD


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/b.db")
    await database.migrate("brokerage:migrations")
    yield database
    await database.close()


async def test_a_world_has_so_many_paper_accounts_and_no_more(db: Database) -> None:
    async def opened(name: str, world_id: str = WORLD) -> Account:
        wanted = replace(ACCOUNT, account=name)
        return await db.write(lambda conn: opening.open_account(conn, wanted, world_id, ACTOR, 2))

    first, _ = await opened("a"), await opened("b")
    with pytest.raises(Exhausted) as caught:
        await opened("c")
    assert caught.value.reason == "E_ACCOUNTS_LIMIT"
    assert await opened("a") == first
    assert (await opened("c", "w2")).account == "c"
