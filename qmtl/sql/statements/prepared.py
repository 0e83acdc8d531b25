"""Statements that run often: compiled once for a dialect, then handed to the driver as text and values.

SQLAlchemy looks a statement up, makes an execution context and describes a cursor each time, which costs several times
what SQLite needs to answer. Here that is done once. Types convert values as they do there, and errors are its errors.
Only inside a transaction, as in `Database.read` and `Database.write`.

    _ONE = Prepared(sa.select(worlds).where(worlds.c.world_id == sa.bindparam("id")))
    row = _ONE.rows(conn, {"id": world_id}).one_or_none()
"""

from __future__ import annotations

import copy
from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final, TypeAlias, TypeVar

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.sql import visitors
from sqlalchemy.sql.compiler import SQLCompiler

from qmtl.sql.errors import wrapped
from qmtl.sql.statements.pipeline import drain, hear, syncs
from qmtl.sql.statements.rows import Make, Rows

Clause = sa.Select[Any] | sa.CompoundSelect[Any] | sa.Insert | sa.Update | sa.Delete | sa.TextClause
Values = Mapping[str, Any]
Converter = Callable[[Any], Any]
T = TypeVar("T")
Later: TypeAlias = Callable[[], T]  # what was asked with `Prepared.ask`: waits for the answer
NOTHING: Final[Values] = {}
POSTGRESQL: Final = "postgresql"


def execute(conn: Connection, text: str, arguments: Any = (), *, many: bool = False) -> Any:
    """Hand text to the driver within the connection's transaction; its cursor. Raises DBAPIError."""
    driver: Any = conn.connection.dbapi_connection
    dialect: Any = conn.dialect
    on_server = dialect.name == POSTGRESQL
    cursor = dialect.loaded_dbapi.RawCursor(driver) if on_server else driver.cursor()
    try:
        if many:
            cursor.executemany(text, arguments)
        elif on_server:
            cursor.execute(text, arguments, prepare=True)  # parsed once a connection, not five times before that
        else:
            cursor.execute(text, arguments)
    except dialect.loaded_dbapi.Error as error:
        drain(conn)
        raise wrapped(conn, text, arguments, error) from error
    return cursor


class Prepared:
    """One statement. The list of an expanding parameter is filled up to a power of two with its last item."""

    def __init__(self, clause: Clause | str) -> None:
        self._clause = sa.text(clause) if isinstance(clause, str) else clause
        self._lists: tuple[str, ...] | None = None  # found at first use: a service has a hundred statements
        self._plans: dict[tuple[Any, ...], _Plan] = {}
        self._last: _Plan | None = None  # of a statement without lists: nearly always the next one's, too

    def rows(self, conn: Connection, values: Values = NOTHING) -> Rows:
        """What a query finds. Raises DBAPIError."""
        plan, values = self._planned(conn, values)
        arguments = plan.arguments(values)
        cursor = execute(conn, plan.text, arguments)
        if not plan.has_answer(cursor):
            hear(conn)
        return _heard(conn, plan, arguments, cursor)

    def ask(self, conn: Connection, values: Values = NOTHING) -> Answer:
        """Let a query run now; what it finds is to be heard later. On PostgreSQL the answers to all that was asked and
        sent arrive together. Raises DBAPIError, then or where the answer is heard.

        What is there already is taken at once: a query that SQLite has not ended, because nobody heard it and an error
        keeps its frame, would hold the snapshot of its connection, which then cannot write after another process did.
        """
        plan, values = self._planned(conn, values)
        arguments = plan.arguments(values)
        answer = Answer(conn, plan, arguments, execute(conn, plan.text, arguments))
        answer.take()
        return answer

    def run(self, conn: Connection, values: Values = NOTHING) -> int:
        """Change rows; how many. Raises DBAPIError."""
        cursor = self._sent(conn, values)
        if cursor.rowcount < 0:  # PostgreSQL has not answered
            hear(conn)
        changed: int = cursor.rowcount
        cursor.close()
        return changed

    def change(self, conn: Connection, values: Values = NOTHING) -> Later[int]:
        """As `run`, without waiting: how many is to be heard later. Raises DBAPIError, then or where it is heard."""
        cursor = self._sent(conn, values)

        def changed() -> int:
            if cursor.rowcount < 0:
                hear(conn)
            return int(cursor.rowcount)

        return changed

    def send(self, conn: Connection, values: Values = NOTHING) -> None:
        """Change rows, however many. Raises DBAPIError, on PostgreSQL with the next answer or the commit."""
        self._sent(conn, values)

    def run_each(self, conn: Connection, values: Sequence[Values]) -> int:
        """Change rows once for each of the values, all of the same names; how many in all. Raises DBAPIError."""
        return self.change_each(conn, values)()

    def change_each(self, conn: Connection, values: Sequence[Values]) -> Later[int]:
        """As `run_each`, without waiting: see `change`."""
        if not values:
            return lambda: 0
        if len(values) == 1:
            return self.change(conn, values[0])
        before, cursor = syncs(conn), self._sent_each(conn, values)

        def changed() -> int:  # the driver adds the answers up as they come: all are there after the next sync
            if syncs(conn) == before:
                hear(conn)
            return int(cursor.rowcount)

        return changed

    def send_each(self, conn: Connection, values: Sequence[Values]) -> None:
        """As `run_each`, without waiting: see `send`."""
        if len(values) > 1:
            self._sent_each(conn, values)
        elif values:
            self._sent(conn, values[0])

    def _sent(self, conn: Connection, values: Values) -> Any:
        plan, values = self._planned(conn, values)
        return execute(conn, plan.text, plan.arguments(values))

    def _sent_each(self, conn: Connection, values: Sequence[Values]) -> Any:
        plan, _ = self._planned(conn, values[0])
        return execute(conn, plan.text, [plan.arguments(each) for each in values], many=True)

    def _planned(self, conn: Connection, values: Values) -> tuple[_Plan, Values]:
        last = self._last
        if last is not None and last.names == values.keys() and last.dialect == conn.dialect.name:
            return last, values
        if self._lists is None:
            self._lists = _lists_of(self._clause)
        for name in self._lists:
            values = {**values, name: _filled_up(values[name])}
        key = (conn.dialect.name, *values, *(len(values[name]) for name in self._lists))
        plan = self._plans.get(key)
        if plan is None:
            plan = self._plans[key] = _compiled(self._clause, conn.dialect, values, self._lists)
        if not self._lists:
            self._last = plan
        return plan, values


@dataclass(slots=True)
class Answer:
    """What a query that was asked finds."""

    _conn: Connection
    _plan: _Plan
    _arguments: Any
    _cursor: Any
    _found: Rows | None = None

    def rows(self) -> Rows:
        """All rows, once. Raises DBAPIError."""
        if self._found is None:
            if not self._plan.has_answer(self._cursor):
                hear(self._conn)
            self.take()
        assert self._found is not None, "the answer to a query has columns"
        return self._found

    def take(self) -> None:
        """Read the rows, if they are there. Raises DBAPIError."""
        if not self._plan.has_answer(self._cursor):
            return
        self._found = _heard(self._conn, self._plan, self._arguments, self._cursor)


def _heard(conn: Connection, plan: _Plan, arguments: Any, cursor: Any) -> Rows:
    """The rows that are there. Raises DBAPIError."""
    try:
        return plan.result(cursor)
    except conn.dialect.loaded_dbapi.Error as error:  # SQLite finds each row as it is fetched
        raise wrapped(conn, plan.text, arguments, error) from error


@dataclass(slots=True)
class _Plan:
    """A statement as text for one dialect, one set of names and one length of each list.

    psycopg is given the text that PostgreSQL takes ($1, $2): it would read its own notation anew each time where a
    statement has more than 50 values, as that of an order has. What columns there are is asked once: it describes each
    of them again whenever it is asked.
    """

    text: str
    dialect: str
    names: frozenset[str]  # of the values it is given
    fixed: Values
    converters: Mapping[str, Converter]
    lists: Mapping[str, Sequence[str]]
    columns: Sequence[Converter | None]
    pick: Callable[[Values], Any]  # the values in the order of the positions
    whole: bool  # the driver takes the values as they are given
    described: tuple[Sequence[str], Make] | None = None

    def has_answer(self, cursor: Any) -> bool:
        """Whether what a query finds is there: PostgreSQL answers later than the statement leaves."""
        return self.dialect != POSTGRESQL or cursor.pgresult is not None

    def arguments(self, values: Values) -> Any:
        """The values as the driver takes them."""
        if self.whole:
            return self.pick(values)
        found = {**self.fixed, **values}
        for name, items in self.lists.items():
            found.update(zip(items, found.pop(name), strict=True))
        for name, convert in self.converters.items():
            found[name] = convert(found[name])
        return self.pick(found)

    def result(self, cursor: Any) -> Rows:
        """All that the cursor has."""
        if self.described is None:
            self.described = _described(cursor)
        names, make = self.described
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        cursor.close()
        if self.columns:
            return Rows(names, [make(map(_converted, self.columns, row)) for row in rows])
        return Rows(names, [make(row) for row in rows])


def _described(cursor: Any) -> tuple[Sequence[str], Make]:
    names = tuple(column[0] for column in cursor.description)
    made: Any = namedtuple("Row", names, rename=True)  # type: ignore[misc]  # known when the query has run
    return names, made._make


def _picking(positions: Sequence[str]) -> Callable[[Values], Any]:
    if len(positions) > 1:
        return itemgetter(*positions)
    return lambda values: tuple(values[name] for name in positions)


def _numbered(dialect: sa.Dialect) -> sa.Dialect:
    """A dialect whose values are numbered as PostgreSQL numbers them."""
    numbered: Any = copy.copy(dialect)
    numbered.paramstyle, numbered.positional = "numeric_dollar", True
    numbered.identifier_preparer = numbered.preparer(numbered)
    return numbered  # type: ignore[no-any-return]  # a copy


def _compiled(clause: Clause, dialect: sa.Dialect, values: Values, lists: Iterable[str]) -> _Plan:
    if dialect.name == POSTGRESQL:
        dialect = _numbered(dialect)
    columns = clause.selected_columns if isinstance(clause, sa.Select | sa.CompoundSelect) else ()
    types = [column.type.dialect_impl(dialect) for column in columns]
    results = [None if _is_native(each, dialect) else each.result_processor(dialect, None) for each in types]
    compiled = clause.compile(dialect=dialect, column_keys=list(values))
    assert isinstance(compiled, SQLCompiler)
    state = compiled.construct_expanded_state(values)
    items = {name: tuple(state.parameter_expansion[name]) for name in lists}
    given = {*values, *(item for each in items.values() for item in each)}
    converters = {**_converters(compiled, dialect, lists), **state.processors}
    fixed = {name: value for name, value in state.parameters.items() if name not in given}
    return _Plan(
        text=state.statement,
        dialect=dialect.name,
        names=frozenset(values),
        fixed={name: _converted(converters.pop(name, None), value) for name, value in fixed.items()},
        converters=converters,
        lists=items,
        columns=results if any(results) else (),
        pick=_picking(state.positiontup or ()),
        whole=not (fixed or converters or items),
    )


def _converters(compiled: SQLCompiler, dialect: sa.Dialect, lists: Iterable[str]) -> dict[str, Converter]:
    """Of the values that are not lists: those of a list's items are the expanded state's."""
    names = {name for name in compiled.bind_names.values() if not compiled.binds[name].expanding}
    types = {name: compiled.binds[name].type.dialect_impl(dialect) for name in sorted(names.difference(lists))}
    found = {name: of.bind_processor(dialect) for name, of in types.items() if not _is_native(of, dialect)}
    return {name: convert for name, convert in found.items() if convert is not None}


def _is_native(kind: sa.types.TypeEngine[Any], dialect: sa.Dialect) -> bool:
    """Bytes are bytes for SQLite's driver, both ways; SQLAlchemy would wrap and copy them."""
    return dialect.name == "sqlite" and type(kind) is sa.LargeBinary


def _converted(convert: Converter | None, value: Any) -> Any:
    return value if convert is None else convert(value)


def _lists_of(clause: Clause) -> tuple[str, ...]:
    found = (each for each in visitors.iterate(clause) if isinstance(each, sa.BindParameter))
    return tuple(dict.fromkeys(each.key for each in found if each.expanding and each.required))


def _filled_up(items: Sequence[Any]) -> list[Any]:
    missing = (1 << (len(items) - 1).bit_length()) - len(items) if items else 0
    return [*items, *([items[-1]] * missing if missing else ())]
