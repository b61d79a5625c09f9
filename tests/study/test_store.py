"""The database: where it is, its versions, and what it refuses by itself."""

import os
import sqlite3
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from helpers.small_study import answer_all, change_last, on_both
from sqlalchemy import insert, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from capo_core.errors import BackendUnavailable, ConfigError, DataError, StudyError
from capo_core.study import store
from capo_core.study.store import models, sealed


def test_sqlite_in_the_workspace_unless_told_otherwise(workspace):
    url = store.address(workspace)
    assert url.get_backend_name() == "sqlite"
    assert url.database == str(workspace.root / "studies.sqlite")


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_postgresql_by_the_environment(workspace, monkeypatch, scheme):
    monkeypatch.setenv("CAPO_DATABASE_URL", f"{scheme}://u:pw@h/db")
    assert store.address(workspace).drivername == "postgresql+psycopg"


@pytest.mark.parametrize("value", ["mysql://u:hunter2@h/db", "hunter2 nonsense", "sqlite:///x"])
def test_any_other_database_is_refused_and_no_password_is_repeated(workspace, monkeypatch, value):
    monkeypatch.setenv("CAPO_DATABASE_URL", value)
    with pytest.raises(ConfigError) as caught:
        store.address(workspace)
    assert "hunter2" not in str(caught.value)


def test_a_server_that_does_not_answer_is_said_in_words(workspace, monkeypatch):
    monkeypatch.setenv("CAPO_DATABASE_URL", "postgresql://u:hunter2@127.0.0.1:1/db")
    with pytest.raises(BackendUnavailable) as caught:
        store.open_store(workspace)
    assert "hunter2" not in str(caught.value) and "CAPO_DATABASE_URL" in str(caught.value)


def test_sqlite_is_opened_so_that_what_is_saved_stays(workspace):
    with store.open_store(workspace).connect() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "busy_timeout", "foreign_keys")
        }
    full = 2
    assert found == {
        "journal_mode": "wal",
        "synchronous": full,
        "busy_timeout": store.BUSY_S * 1000,
        "foreign_keys": 1,
    }


def test_nobody_else_on_the_machine_may_read_the_file(workspace):
    engine = store.open_store(workspace)
    with engine.begin() as connection:
        connection.execute(text("SELECT 1"))
    files = list(workspace.root.glob("studies.sqlite*"))
    assert workspace.root / "studies.sqlite" in files
    for path in files:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_another_process_does_not_clear_away_the_log_that_this_one_writes(workspace):
    """Opened and closed by this process, the file would lose the locks that keep the log."""
    held = store.open_store(workspace)
    store.read(held, lambda connection: connection.execute(text("SELECT 1")))
    store.open_judge_store(workspace).dispose()  # as each judge who comes does
    log = workspace.root / "studies.sqlite-wal"
    before = log.stat().st_ino
    # Another process comes and goes; it would clear the log away if it saw no lock on the file.
    words = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('SELECT 1 FROM studies')"
    for _ in range(2):
        subprocess.run(
            [sys.executable, "-c", words, str(workspace.root / "studies.sqlite")], check=True
        )
        assert log.stat().st_ino == before
    store.write(
        held,
        lambda connection: connection.execute(
            insert(models.audit).values(
                at=datetime(2026, 1, 1, tzinfo=UTC), study_id="s", actor="a", event="e", details=""
            )
        ),
    )
    words = "import sqlite3, sys; print(*sqlite3.connect(sys.argv[1]).execute(sys.argv[2]))"
    found = subprocess.run(
        [sys.executable, "-c", words, str(log)[: -len("-wal")], "SELECT count(*) FROM audit"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert found.stdout.strip() == "(1,)"


def test_files_made_at_once_are_one(workspace):
    path = workspace.root / "studies.sqlite"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: store._only_for_the_owner(path), range(64)))
    assert [each.name for each in workspace.root.iterdir() if "sqlite" in each.name] == [path.name]


def test_a_folder_that_cannot_be_written(workspace, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(DataError, match="Permission denied"):
        store._only_for_the_owner(workspace.root / "studies.sqlite")


@on_both
def test_migrations_give_the_tables_that_the_code_uses(study):
    with study.service.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, [models.metadata, sealed.metadata]) == []
        assert store.version(connection) == models.HEAD


def test_head_is_the_last_migration():
    scripts = ScriptDirectory(str(store.FOLDER))
    assert scripts.get_heads() == [models.HEAD]
    assert sorted(each.revision for each in scripts.walk_revisions()) == list(
        store.known_versions()
    )


def test_opening_again_keeps_what_is_there(study):
    before = study.service.names()
    store.open_store(study.workspace).dispose()
    assert study.service.names() == before == ["s1"]


def test_a_database_from_the_future_is_refused(workspace):
    engine = store.open_store(workspace)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DataError, match="newer version"):
        store.open_store(workspace)


def test_a_migration_that_fails_leaves_nothing(workspace, monkeypatch):
    from alembic import op

    real = op.create_index

    def fail(name, *args, **kwargs):
        if name == "ix_audit_study_id":  # the last thing of the first migration
            raise RuntimeError("power cut")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(op, "create_index", fail)
    with pytest.raises(RuntimeError, match="power cut"):
        store.open_store(workspace)
    path = workspace.root / "studies.sqlite"
    assert sqlite3.connect(path).execute("SELECT name FROM sqlite_master").fetchall() == []
    monkeypatch.undo()
    store.open_store(workspace).dispose()


FROZEN = ("trials", "texts", "cards", "assignments", "feedback", "sealed_sources", "audit")


def refused(study, statement: str, words: str) -> bool:
    with pytest.raises(DBAPIError, match=words), study.service.engine.begin() as owner:
        owner.execute(text(statement))
    return True


@on_both
def test_nothing_can_be_deleted(study):
    (desk,) = study.judges()
    answer_all(desk, 2)
    for table in (*FROZEN, "judgments", "studies"):
        assert refused(study, f"DELETE FROM {table}", "never"), table


@on_both
def test_rows_of_a_frozen_study_and_of_the_audit_cannot_be_changed(study):
    for table in FROZEN:
        assert refused(study, f"UPDATE {table} SET study_id = study_id", "never changed"), table


@on_both
def test_nothing_in_a_judgment_changes(study):
    (desk,) = study.judges()
    answer_all(desk, 1)
    columns = {column.name for column in models.judgments.columns} - {"withdrawn"}
    for column in columns:
        assert refused(study, f"UPDATE judgments SET {column} = {column}", "never changed"), column


@on_both
def test_a_judgment_is_withdrawn_once_and_stays_so(study):
    (desk,) = study.judges()
    answer_all(desk, 2)
    change_last(desk)
    withdrawn = models.judgments.c.withdrawn
    for value in (None, study.clock()):
        with pytest.raises(DBAPIError, match="once"), study.service.engine.begin() as owner:
            owner.execute(
                update(models.judgments).where(withdrawn.is_not(None)).values(withdrawn=value)
            )


@on_both
def test_a_study_is_not_opened_again_nor_its_terms_changed(study):
    study.service.close("s1")
    for values in ({"closed": None}, {"terms": "{}"}, {"frozen_hash": "x"}):
        with pytest.raises(DBAPIError), study.service.engine.begin() as owner:
            owner.execute(update(models.studies).values(**values))


@on_both
def test_unblinding_an_open_study_is_refused_by_the_database_too(study):
    statement = "UPDATE studies SET unblinded = created"
    assert refused(study, statement, "after it was closed")


def test_truncate_is_refused(postgres, monkeypatch, workspace):
    monkeypatch.setenv("CAPO_DATABASE_URL", postgres.database())
    engine = store.open_store(workspace)
    with pytest.raises(DBAPIError, match="never deleted"), engine.begin() as owner:
        owner.execute(text("TRUNCATE judgments, audit"))
    engine.dispose()


@on_both
def test_one_standing_judgment_per_judge_and_trial_by_the_database(study):
    (desk,) = study.judges()
    answer_all(desk, 2)  # practice, then a main trial
    with study.service.engine.connect() as owner:
        rows = [dict(row._mapping) for row in owner.execute(select(models.judgments))]
    for row in rows:
        del row["judgment_id"]
        with pytest.raises(IntegrityError), study.service.engine.begin() as owner:
            owner.execute(insert(models.judgments).values(**{**row, "place": ""}))


@on_both
def test_one_judgment_a_place_by_the_database(study):
    first, second = study.judges(2)
    answer_all(first, 2)
    answer_all(second, 1)
    with study.service.engine.connect() as owner:
        rows = [dict(row._mapping) for row in owner.execute(select(models.judgments))]
    row = next(row for row in rows if row["place"])
    other = next(each["judge_id"] for each in rows if each["judge_id"] != row["judge_id"])
    del row["judgment_id"]
    with pytest.raises(IntegrityError), study.service.engine.begin() as owner:
        owner.execute(insert(models.judgments).values(**{**row, "judge_id": other}))


def _locked() -> OperationalError:
    return OperationalError("x", {}, sqlite3.OperationalError("database is locked"))


def test_work_is_repeated_where_the_database_is_busy(workspace, monkeypatch):
    monkeypatch.setattr(store.time, "sleep", lambda seconds: None)
    engine, calls = store.open_store(workspace), []

    def work(connection):
        calls.append(1)
        if len(calls) < 3:
            raise _locked()
        return "done"

    assert store.write(engine, work) == "done" and len(calls) == 3


def test_in_the_end_it_says_so(workspace, monkeypatch):
    monkeypatch.setattr(store.time, "sleep", lambda seconds: None)
    calls = []

    def work(connection):
        calls.append(1)
        raise _locked()

    with pytest.raises(StudyError, match="try again in a minute"):
        store.write(store.open_store(workspace), work)
    assert len(calls) == store.TRIES


def test_a_full_disk_is_said_at_once(workspace):
    calls = []

    def work(connection):
        calls.append(1)
        raise OperationalError("x", {}, sqlite3.OperationalError("database or disk is full"))

    with pytest.raises(DataError, match="disk is full"):
        store.write(store.open_store(workspace), work)
    assert len(calls) == 1


def test_a_damaged_file_is_told_with_what_can_be_saved(workspace):
    engine = store.open_store(workspace)
    with engine.begin() as connection:
        for name in ("judgments", "trials", "audit"):  # whatever page is hit, it is one of a table
            connection.execute(text(f"SELECT * FROM {name}"))
        connection.exec_driver_sql("CREATE TABLE filler (x)")
        connection.execute(text("INSERT INTO filler VALUES (:x)"), [{"x": "y" * 900}] * 400)
    engine.dispose()
    file = workspace.root / "studies.sqlite"
    whole = file.read_bytes()
    half = len(whole) // 2
    file.write_bytes(whole[:half] + b"\xff" * (len(whole) - half))
    with pytest.raises(DataError, match=r"malformed.+What to do: copy it and its -wal file"):
        store.read(engine, lambda c: c.execute(text("SELECT sum(length(x)) FROM filler")).all())
    engine.dispose()


@on_both
def test_a_failed_write_leaves_nothing(study):
    def work(connection):
        connection.execute(
            insert(models.attempts).values(caller="x", window_start=study.clock(), count=1)
        )
        raise StudyError("no")

    with pytest.raises(StudyError):
        store.write(study.service.engine, work)
    found = store.read(study.service.engine, lambda c: c.execute(select(models.attempts)).all())
    assert found == []
