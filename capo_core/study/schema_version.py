"""The database's tables, made and brought up to date by the migrations in this package."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from capo_core.errors import DataError
from capo_core.study.models import HEAD
from capo_core.workspace import Workspace

FOLDER = Path(__file__).with_name("migrations")
LOCK = 7266_2026  # any number, the same for all who migrate: PostgreSQL's advisory lock


def version(connection: Connection) -> str:
    """The version of the schema found; empty where there is none yet."""
    if not inspect(connection).has_table("alembic_version"):
        return ""
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar() or ""


def known_versions() -> tuple[str, ...]:
    """All versions that this code can bring up to date, the oldest first."""
    return tuple(sorted(path.name[:4] for path in (FOLDER / "versions").glob("[0-9]*.py")))


def bring_up_to_date(engine: Engine, workspace: Workspace) -> None:
    """Run the migrations that are missing; one process at a time, and whole or not at all.

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
