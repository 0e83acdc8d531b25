"""Transactions of PostgreSQL in libpq's pipeline mode: statements leave at once, answers are heard where needed.

BEGIN leaves with the first statement and COMMIT with the last ones, so a transaction costs a round trip for each time
it waits for an answer and one for its commit. A statement that fails is heard of at the next wait, at the latest at the
commit, and nothing that was sent after it is done. Whoever catches the errors of a savepoint hears before its end.
"""

from __future__ import annotations

from contextlib import ExitStack, suppress
from typing import Any, Final

from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import ExceptionContext

from qmtl.sql.errors import wrapped

PIPELINE: Final = "pipeline"
BEGIN: Final = "qmtl_begin"  # the execution option of a connection whose transactions begin otherwise
SYNCS_MAX: Final = 100
FORGETS: Final = ("ROLLBACK", "DROP", "ALTER", "DISCARD")  # after these the driver forgets what it prepared


class Pipeline:
    """The pipeline of one transaction: psycopg's, with the first of several errors as the one that is raised."""

    def __init__(self, driver: Any, dbapi: Any) -> None:
        self._driver = driver
        self._dbapi = dbapi
        self._error: type[Exception] = dbapi.Error
        self._flush = dbapi.generators.send
        self._mode = ExitStack()
        self._pipeline = self._mode.enter_context(driver.pipeline())
        self.syncs = 0  # how often all answers were heard

    def begin(self, text: str) -> None:
        """Send what begins the transaction."""
        self._driver.execute(text, prepare=False)

    def forget(self) -> None:
        """Let the driver deallocate what it forgot: it would do so behind the next statement, which it has prepared."""
        self._driver.execute("SELECT 1", prepare=False)

    def hear(self) -> None:
        """Wait for the answers to all that was sent. Raises the driver's error of the first statement that failed."""
        try:
            self._sync()
        except self._error:
            self.drain()
            raise

    def drain(self) -> None:
        """Hear what is left after an error, which only tells of statements that were not run."""
        for _ in range(SYNCS_MAX):
            if self._driver.closed:
                return
            with suppress(self._error):
                self._sync()
                return
        self._driver.close()

    def leave(self) -> None:
        """Hear all answers, and let every later statement wait for its own. Raises as `hear`."""
        try:
            self._mode.close()
        except self._error as error:
            raise self._first(error) from None

    def commit(self) -> None:
        """Send the commit and hear all answers: it returns once PostgreSQL said that it committed. Raises as `hear`."""
        try:
            committed = self._driver.execute("COMMIT", prepare=False)
        except self._error:
            self.abandon()
            raise
        self.leave()
        if committed.statusmessage != "COMMIT":  # a failed statement was passed over in silence
            raise self._dbapi.InternalError(f"the transaction ended with {committed.statusmessage}, not with COMMIT")

    def abandon(self) -> None:
        """Leave for a rollback, which is the driver's own."""
        self.drain()
        with suppress(self._error):
            self._mode.close()

    def _sync(self) -> None:
        """Send all first: psycopg's own sync waits for answers with a part of a long statement unsent, for ever."""
        self._driver.wait(self._flush(self._driver.pgconn))
        self._pipeline.sync()
        self.syncs += 1

    def _first(self, error: BaseException) -> BaseException:
        """The error that came before those of the statements that were not run because of it."""
        while isinstance(error.__context__, self._error):
            error = error.__context__
        return error


def hear(conn: Connection) -> None:
    """Wait for the answers to all that was sent on a connection; on SQLite nothing waits.

    Raises DBAPIError of the first statement that failed.
    """
    pipeline = _pipeline_of(conn)
    if pipeline is None:
        return
    try:
        pipeline.hear()
    except conn.dialect.loaded_dbapi.Error as error:
        raise wrapped(conn, "", (), error) from error


def syncs(conn: Connection) -> int:
    """How often the transaction has waited until all was answered; what was sent before the last time has been."""
    pipeline = _pipeline_of(conn)
    return 0 if pipeline is None else pipeline.syncs


def drain(conn: Connection) -> None:
    """Hear what is left after an error."""
    if (pipeline := _pipeline_of(conn)) is not None:
        pipeline.drain()


def pipelined(engine: Engine) -> None:
    """Let the transactions of an engine whose driver commits by itself (autocommit) be pipelines.

    What SQLAlchemy executes waits for its answer, as ever; prepared statements may be sent without waiting.
    """

    @event.listens_for(engine, "begin")
    def begin(conn: Connection) -> None:
        error = conn.dialect.loaded_dbapi.Error
        text = conn.get_execution_options().get(BEGIN, "BEGIN")
        try:
            pipeline = conn.info[PIPELINE] = Pipeline(conn.connection.dbapi_connection, conn.dialect.loaded_dbapi)
            pipeline.begin(text)
        except error as failure:
            if (begun := _taken(conn)) is not None:
                begun.abandon()
            raise wrapped(conn, text, (), failure) from failure

    @event.listens_for(engine, "commit")
    def commit(conn: Connection) -> None:
        pipeline = _taken(conn)
        if pipeline is not None:
            try:
                pipeline.commit()
            except conn.dialect.loaded_dbapi.Error as failure:
                raise wrapped(conn, "COMMIT", (), failure) from failure

    @event.listens_for(engine, "rollback")
    def rollback(conn: Connection) -> None:
        pipeline = _taken(conn)
        if pipeline is not None:
            pipeline.abandon()

    @event.listens_for(engine, "before_cursor_execute")
    def before(conn: Connection, cursor: Any, text: str, arguments: Any, context: Any, many: bool) -> None:
        if isinstance(cursor, conn.dialect.loaded_dbapi.ServerCursor) and (pipeline := _taken(conn)) is not None:
            try:
                pipeline.leave()  # psycopg has no rows in portions within a pipeline
            except conn.dialect.loaded_dbapi.Error as failure:
                raise wrapped(conn, text, arguments, failure) from failure

    @event.listens_for(engine, "after_cursor_execute")
    def after(conn: Connection, cursor: Any, text: str, arguments: Any, context: Any, many: bool) -> None:
        if (pipeline := _pipeline_of(conn)) is not None:
            pipeline.hear()
            if (cursor.statusmessage or "").startswith(FORGETS):  # as the driver tells it, however it was written
                pipeline.forget()

    @event.listens_for(engine, "handle_error")
    def failed(context: ExceptionContext) -> None:
        if context.connection is None:
            return
        if context.is_disconnect:  # SQLAlchemy forgets the connection next
            if (pipeline := _taken(context.connection)) is not None:
                pipeline.abandon()
        else:
            drain(context.connection)


def _pipeline_of(conn: Connection) -> Pipeline | None:
    return None if conn.invalidated or conn.closed else conn.info.get(PIPELINE)


def _taken(conn: Connection) -> Pipeline | None:
    return None if conn.invalidated or conn.closed else conn.info.pop(PIPELINE, None)
