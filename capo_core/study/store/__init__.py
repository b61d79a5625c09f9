"""The database of blind studies: its address, opening, migrations, and retried transactions.

SQLite in the workspace by default (write-ahead log, `synchronous=FULL`: what is acknowledged is on
disk); PostgreSQL where `CAPO_DATABASE_URL` names one. All work goes through `read` and `write`,
each one transaction. `write` begins with the writer's lock in SQLite, so that nobody has to give
up in the middle; on both databases it is repeated where the database itself says "try again", so
the work given to it must come to the same when it is done twice.

The database's tables, made and brought up to date by the migrations in this package.
"""

from __future__ import annotations

import os
import random
import secrets
import sqlite3
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError

from capo_core.errors import BackendUnavailable, ConfigError, DataError, StudyError
from capo_core.study.store.judge_guard import confine
from capo_core.study.store.models import HEAD
from capo_core.workspace import Workspace, make_folder

FOLDER = Path(__file__).with_name("migrations")
LOCK = 7266_2026  # any number, the same for all who migrate: PostgreSQL's advisory lock


def version(connection: Connection) -> str:
    """Return the version of the schema found; empty where there is none yet."""
    if not inspect(connection).has_table("alembic_version"):
        return ""
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar() or ""


def known_versions() -> tuple[str, ...]:
    """Return all versions that this code can migrate, the oldest first."""
    return tuple(sorted(path.name[:4] for path in (FOLDER / "versions").glob("[0-9]*.py")))


def bring_up_to_date(engine: Engine, workspace: Workspace) -> None:
    """Run the missing migrations; one process at a time, and whole or not at all.

    Raises:
        DataError: the database was written by a newer version of this project.
    """
    with engine.connect().execution_options(capo_writes=False) as connection, connection.begin():
        found = version(connection)
    if found == HEAD:
        return
    if found and found not in known_versions():
        raise DataError(
            f"the studies' database has version {found}, which is not known here",
            where=engine.url.database,
            expected=f"version {HEAD} or older",
            todo="use the newer version of CAPO Lab that wrote it",
        )
    with workspace.lock("studies-schema"):
        _migrate(engine)


def _migrate(engine: Engine) -> None:
    from alembic import command  # slow to import, and seldom needed
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":  # the workspaces of several machines may share one
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


Result = TypeVar("Result")
VARIABLE = "CAPO_DATABASE_URL"
FILE = "studies.sqlite"
BUSY_S = 30
TRIES = 8
# PostgreSQL's codes for "try again": serialisation, deadlock, connection gone, server starting.
PASSING = ("40001", "40P01", "57P01", "57P02", "57P03", "08000", "08003", "08006")


class Busy(StudyError):
    """The database is there, but did not answer in time; the same call may be made again."""


def address(workspace: Workspace) -> URL:
    """Return the address of the database: `CAPO_DATABASE_URL`, else a file in the workspace.

    Raises:
        ConfigError: the variable names something else than a PostgreSQL database.
    """
    given = os.environ.get(VARIABLE, "").strip()
    if not given:
        return URL.create("sqlite", database=str(workspace.root / FILE))
    expected = "postgresql://user:password@host:5432/database"
    try:
        url = make_url(given)
    except ArgumentError:
        # The value may hold a password: it is not repeated.
        raise ConfigError(f"{VARIABLE} cannot be read", expected=expected) from None
    if url.drivername not in ("postgres", "postgresql", "postgresql+psycopg"):
        raise ConfigError(
            f"{VARIABLE} names a database of the kind {url.drivername!r}",
            expected=f"{expected}; without the variable, SQLite in the workspace is used",
        )
    if find_spec("psycopg") is None:
        raise BackendUnavailable(
            f"{VARIABLE} names PostgreSQL, and its driver is not installed",
            todo="pip install 'psycopg[binary]'",
        )
    return url.set(drivername="postgresql+psycopg")


def open_store(workspace: Workspace) -> Engine:
    """Open the owner's connection, after creating or migrating the tables.

    Raises:
        ConfigError: see `address`. BackendUnavailable: PostgreSQL does not answer.
        DataError: the file cannot be made, or a newer version of this project wrote it.
    """
    engine = _engine(address(workspace))
    try:
        bring_up_to_date(engine, workspace)
    except DBAPIError as error:
        raise _unreachable(engine, error) from error
    return engine


def open_judge_store(workspace: Workspace) -> Engine:
    """Open the judges' connection, on which the database refuses every table but theirs.

    Raises:
        as `open_store`.
    """
    open_store(workspace).dispose()
    return confine(_engine(address(workspace)))


def read(engine: Engine, work: Callable[[Connection], Result]) -> Result:
    """Return the result of `work` in one transaction that sees one state of the database."""
    return _repeated(engine, work, writes=False)


def write(engine: Engine, work: Callable[[Connection], Result]) -> Result:
    """Return the result of `work`, once it is on disk.

    Raises:
        Busy: the database did not take it in time; nothing of it was saved.
    """
    return _repeated(engine, work, writes=True)


def _repeated(engine: Engine, work: Callable[[Connection], Result], *, writes: bool) -> Result:
    for attempt in range(1, TRIES + 1):
        try:
            connection = engine.connect().execution_options(capo_writes=writes)
            with connection, connection.begin():
                return work(connection)
        except DBAPIError as error:
            if not _passing(error):
                if isinstance(error, OperationalError) or _damaged(error):
                    raise _unreachable(engine, error) from error
                raise
            if attempt == TRIES:
                raise Busy(
                    f"the database did not answer in {TRIES} attempts",
                    where=where(engine),
                    todo="try again in a minute; what was saved before is safe",
                ) from error
            # Spread out, so that those who wait do not all come back together.
            time.sleep(min(2.0, 0.05 * 2**attempt) * random.uniform(0.5, 1.0))
    raise AssertionError("the loop returns or raises")


def _passing(error: DBAPIError) -> bool:
    if error.connection_invalidated:
        return True
    if isinstance(error.orig, sqlite3.Error):
        return "locked" in str(error.orig) or "busy" in str(error.orig)
    code = getattr(error.orig, "sqlstate", None)
    # psycopg has no code where the connection could not be made at all.
    return code in PASSING or (code is None and isinstance(error, OperationalError))


def where(engine: Engine) -> str:
    """Return the database in words, without its password."""
    return engine.url.database if _is_sqlite(engine) else engine.url.render_as_string()


def _unreachable(engine: Engine, error: DBAPIError) -> DataError | BackendUnavailable:
    reason = str(error.orig).strip().splitlines()[0] if str(error.orig).strip() else "no reason"
    if _is_sqlite(engine):
        return DataError(
            f"the file of the studies cannot be used ({reason})",
            where=where(engine),
            todo="copy it and its -wal file to a safe place first; then put a backup in its place, "
            "or save what can be read: sqlite3 studies.sqlite .recover"
            if _damaged(error)
            else "see that the folder can be written and the disk is not full",
        )
    return BackendUnavailable(
        f"PostgreSQL does not answer as it should ({reason})",
        where=where(engine),
        todo=f"see that the server runs and that {VARIABLE} is right",
    )


def _damaged(error: DBAPIError) -> bool:
    """Return whether SQLite found its file damaged, or no database at all."""
    code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF  # the rest says where
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _is_sqlite(engine: Engine) -> bool:
    return engine.dialect.name == "sqlite"


def _engine(url: URL) -> Engine:
    if url.get_backend_name() != "sqlite":
        return create_engine(url, pool_pre_ping=True, pool_size=5, max_overflow=15)
    path = Path(url.database)
    make_folder(path.parent)
    _only_for_the_owner(path)
    engine = create_engine(url, connect_args={"timeout": BUSY_S, "check_same_thread": False})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _only_for_the_owner(path: Path) -> None:
    """Create the file before SQLite would, so that no other user of the machine can read what is
    sealed.

    A file that is there is never opened here: on POSIX, closing it would drop the locks that
    SQLite holds on it in this process. Another process would then take itself for the only one
    and clear away the log, and what is written here after that would be lost
    (sqlite.org/howtocorrupt.html, 2.2). The new file is closed before it gets its name.
    """
    if path.exists():
        return
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        _make_private(fresh)
        try:
            os.link(fresh, path)
        finally:
            fresh.unlink()
    except FileExistsError:
        pass  # another process was quicker
    except OSError as error:
        raise DataError(
            f"the file of the studies cannot be written ({error.strerror})", where=str(path)
        ) from error


def _make_private(path: Path) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _prepare_sqlite(connection: sqlite3.Connection, record: object) -> None:
    connection.isolation_level = None  # transactions are begun by `_begin_sqlite`, not by Python
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("capo_writes", True)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
