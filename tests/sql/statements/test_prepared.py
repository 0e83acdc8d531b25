"""Prepared statements: the same rows, counts and errors as SQLAlchemy's own execution, on both dialects."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, IntegrityError, MultipleResultsFound, NoResultFound

from qmtl.sql.database import Database
from qmtl.sql.statements.lists import any_of
from qmtl.sql.statements.prepared import Prepared
from tests.support.statements import statements_on

METADATA = sa.MetaData()


class Tenths(sa.types.TypeDecorator[int]):
    """A number of tenths kept as text."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: sa.Dialect) -> str | None:
        return None if value is None else f"{value}t"

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> int | None:
        return None if value is None else int(value.removesuffix("t"))


THINGS = sa.Table(
    "things",
    METADATA,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("open", sa.Boolean, nullable=False),
    sa.Column("price", Tenths, nullable=True),
    sa.Column("amount", sa.BigInteger, nullable=False),
)
ROWS = [
    {
        "name": f"n{i}",
        "kind": "odd" if i % 2 else "even",
        "body": bytes([i]),
        "open": i < 3,
        "price": i or None,
        "amount": i,
    }
    for i in range(6)
]
INSERT = Prepared(sa.insert(THINGS))
OF_KIND = (
    sa.select(THINGS).where(THINGS.c.kind == sa.bindparam("kind"), THINGS.c.open.is_(True)).order_by(THINGS.c.name)
)
NAMED = sa.select(THINGS.c.name).where(THINGS.c.name.in_(any_of("names")), THINGS.c.kind == sa.bindparam("kind"))


@pytest.fixture
async def things(database_url: str) -> AsyncIterator[Database]:
    db = Database(database_url)
    await db.write(METADATA.create_all)
    await db.write(lambda conn: INSERT.run_each(conn, ROWS))
    try:
        yield db
    finally:
        await db.close()


async def test_rows_are_those_of_an_execution(things: Database) -> None:
    def same(conn: Connection) -> bool:
        found = Prepared(OF_KIND).rows(conn, {"kind": "even"}).mappings().all()
        return bool(found) and [dict(row) for row in found] == [
            dict(row) for row in conn.execute(OF_KIND, {"kind": "even"}).mappings()
        ]

    assert await things.read(same)
    assert await things.read(lambda conn: Prepared(sa.select(THINGS).order_by(THINGS.c.name)).rows(conn).all()) == [
        tuple(row.values()) for row in ROWS
    ]


async def test_values_are_stored_as_their_types_convert_them(things: Database) -> None:
    """Written, changed, compared and listed: the type of the column decides, also of a value fixed in the statement."""
    large = 10**40
    priced = sa.select(THINGS.c.name).where(THINGS.c.price.in_(any_of("prices")), THINGS.c.price.in_([2, large]))
    change = Prepared(
        sa.update(THINGS).where(THINGS.c.price == 1).values(open=sa.bindparam("opened", type_=sa.Boolean))
    )

    def work(conn: Connection) -> tuple[list[str], list[str], int]:
        INSERT.run_each(conn, [{**ROWS[0], "name": name, "price": large} for name in ("x", "y")])
        INSERT.run(conn, {**ROWS[0], "name": "z", "price": large})
        stored = conn.execute(sa.text("SELECT price FROM things WHERE name IN ('n1', 'x', 'y', 'z') ORDER BY name"))
        found = Prepared(priced).rows(conn, {"prices": [1, 2, large]}).scalars().all()
        return list(stored.scalars()), sorted(found), change.run(conn, {"opened": False})

    stored, found, changed = await things.write(work)
    assert stored == ["1t", f"{large}t", f"{large}t", f"{large}t"]
    assert found == ["n2", "x", "y", "z"]
    assert changed == 1


async def test_a_row_has_its_columns_by_name(things: Database) -> None:
    row = await things.read(lambda conn: Prepared(OF_KIND).rows(conn, {"kind": "odd"}).one())
    assert (row.name, row.open, row.price, row.body) == ("n1", True, 1, b"\x01")


async def test_what_one_row_is_asked_of_is_told_as_sqlalchemy_tells_it(things: Database) -> None:
    named = Prepared(sa.select(THINGS.c.name, THINGS.c.amount).where(THINGS.c.amount >= sa.bindparam("from_")))

    def told(conn: Connection) -> None:
        only, several, none = (named.rows(conn, {"from_": amount}) for amount in (5, 4, 9))
        assert (only.one(), only.first(), only.scalar_one(), only.scalar_one_or_none()) == (
            ("n5", 5), ("n5", 5), "n5", "n5",
        )  # fmt: skip
        assert only.mappings().one_or_none() == {"name": "n5", "amount": 5}
        assert (none.first(), none.one_or_none(), none.scalar_one_or_none(), none.all()) == (None, None, None, [])
        assert sorted(several.scalars()) == ["n4", "n5"]
        for ask in (several.one, several.one_or_none, several.scalar_one, several.scalar_one_or_none):
            with pytest.raises(MultipleResultsFound):
                ask()
        for ask in (none.one, none.scalar_one, none.scalars().one):
            with pytest.raises(NoResultFound):
                ask()

    await things.read(told)


async def test_columns_whose_names_no_attribute_can_have_are_rows_by_place(things: Database) -> None:
    twice = Prepared("SELECT name, name, amount + 1 FROM things WHERE name = :name")
    assert await things.read(lambda conn: tuple(twice.rows(conn, {"name": "n1"}).one())) == ("n1", "n1", 2)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5])
async def test_a_list_of_any_length(things: Database, count: int) -> None:
    named = Prepared(NAMED)
    names = [f"n{i}" for i in range(count)]
    found = await things.read(lambda conn: named.rows(conn, {"names": names, "kind": "even"}).scalars().all())
    assert sorted(found) == [name for name in names if int(name[1]) % 2 == 0]


async def test_lists_of_many_lengths_make_few_texts(things: Database) -> None:
    named = Prepared(NAMED)

    def ask(conn: Connection) -> set[str]:
        with statements_on(conn) as seen:
            for length in range(1, 101):
                named.rows(conn, {"names": [f"n{i}" for i in range(length)], "kind": "even"}).all()
        return {text.split("'")[0] + str(text.count("'")) for text in seen}

    if things.dialect == "sqlite":
        assert len(await things.read(ask)) == 8


async def test_changes_are_counted(things: Database) -> None:
    update = Prepared(sa.update(THINGS).where(THINGS.c.kind == sa.bindparam("of"), THINGS.c.amount > 0))
    touch = Prepared("UPDATE things SET amount = :amount WHERE name = :name")
    assert await things.write(lambda conn: update.run(conn, {"of": "odd", "price": 7, "open": True})) == 3
    assert await things.write(lambda conn: update.run(conn, {"of": "none", "price": 7, "open": True})) == 0
    many = [{"name": "n0", "amount": 1}, {"name": "n1", "amount": 2}, {"name": "absent", "amount": 3}]
    assert await things.write(lambda conn: touch.run_each(conn, many)) == 2
    assert await things.write(lambda conn: touch.run_each(conn, many[:1])) == 1
    assert await things.write(lambda conn: touch.run_each(conn, [])) == 0

    def later(conn: Connection) -> list[int]:
        changed = [touch.change_each(conn, values) for values in (many, many[:1], [])]
        Prepared(OF_KIND).rows(conn, {"kind": "odd"}).all()  # all answers have come with these
        return [each() for each in (*changed, touch.change_each(conn, many))]

    assert await things.write(later) == [2, 1, 0, 2]
    rows = await things.read(lambda conn: Prepared(OF_KIND).rows(conn, {"kind": "odd"}).all())
    assert [(row.name, row.price, row.amount) for row in rows] == [("n1", 7, 2), ("n3", 7, 3), ("n5", 7, 5)]


async def test_what_returns_is_read(things: Database) -> None:
    raised = Prepared("UPDATE things SET amount = amount + :by WHERE name = :name RETURNING amount")
    assert await things.write(lambda conn: raised.rows(conn, {"by": 10, "name": "n2"}).scalar_one()) == 12


@pytest.mark.parametrize("several", [False, True])
async def test_errors_are_those_of_an_execution(things: Database, several: bool) -> None:
    def twice(conn: Connection) -> None:
        if several:
            INSERT.run_each(conn, ROWS[:2])
        else:
            INSERT.run(conn, ROWS[0])

    with pytest.raises(IntegrityError):
        await things.write(twice)
    with pytest.raises(DBAPIError) as error:
        await things.read(lambda conn: Prepared("SELECT * FROM absent").rows(conn).all())
    with pytest.raises(type(error.value)):
        await things.read(lambda conn: conn.execute(sa.text("SELECT * FROM absent")).all())


async def test_an_error_in_a_later_row_is_that_of_an_execution(things: Database) -> None:
    """SQLite finds the rows of a query while they are fetched, so a damaged page may be met in any of them."""
    least = "SELECT abs(CASE WHEN amount = 3 THEN -9223372036854775807 - 1 ELSE amount END) FROM things ORDER BY name"
    with pytest.raises(DBAPIError) as error:
        await things.read(lambda conn: Prepared(least).rows(conn).all())
    with pytest.raises(type(error.value)):
        await things.read(lambda conn: conn.execute(sa.text(least)).all())


async def test_a_statement_serves_both_dialects_and_several_sets_of_names(things: Database, tmp_path: object) -> None:
    """One process may have stores of both, and the names given say which columns an insert has."""
    insert = Prepared(sa.insert(THINGS))
    await things.write(lambda conn: insert.run(conn, {**ROWS[0], "name": "whole"}))
    partly = {name: value for name, value in ROWS[0].items() if name != "price"}
    await things.write(lambda conn: insert.run(conn, {**partly, "name": "part"}))
    other = Database(f"sqlite:///{tmp_path}/other.db")
    try:
        await other.write(METADATA.create_all)
        assert await other.write(lambda conn: insert.run(conn, ROWS[1])) == 1
    finally:
        await other.close()


async def test_what_was_asked_and_not_heard_holds_nothing(tmp_path: Path) -> None:
    """Who keeps the error keeps the frame that asked: the writer writes on, also after another process did."""
    path = tmp_path / "asked.db"
    db = Database(f"sqlite:///{path}")
    await db.write(METADATA.create_all)
    await db.write(lambda conn: INSERT.run_each(conn, ROWS))
    every = Prepared(sa.select(THINGS))

    def ask(conn: Connection) -> None:
        asked = every.ask(conn)
        raise LookupError(asked)

    with pytest.raises(LookupError) as kept:
        await db.write(ask)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("DELETE FROM things WHERE name = 'n0'")
    await db.write(lambda conn: INSERT.run(conn, {**ROWS[0], "name": "x"}))
    assert await db.read(lambda conn: len(every.rows(conn).all())) == len(ROWS)
    assert kept.value.args
    await db.close()
