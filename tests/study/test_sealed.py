"""Nothing on the judge's path can read the sealed table: its imports, its statements, its fence."""

import ast
from pathlib import Path

import pytest
from helpers.small_study import SECRETS, answer_all, change_last
from sqlalchemy import event, select, text
from sqlalchemy.exc import DatabaseError

import capo_core.study
from capo_core.study.store import judge_guard, models, read, write
from capo_core.study.store import sealed as store_sealed
from capo_core.study.store.judge_guard import OffLimits

FOLDER = Path(capo_core.study.__file__).parent
ENTRY = "judging.desk"
SEALING = (
    "store.sealed",
    "sealed_sources",
    "SEALED",
    "owner.export",
    "store.load",
    "owner.service",
)


def file_of(module: str) -> Path | None:
    """The file of a module of the package, named from the package: "judging.desk"."""
    path = FOLDER.joinpath(*module.split("."))
    files = (path.with_suffix(".py"), path / "__init__.py")
    return next((file for file in files if file.exists()), None)


def imported(module: str) -> set[str]:
    """Modules of the package that a module imports, wherever in it, but not for types alone."""
    tree = ast.parse(file_of(module).read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            node.body = []
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    inside = {
        name.removeprefix("capo_core.study.")
        for name in found
        if name.startswith("capo_core.study.")
    }
    return {name for name in inside if file_of(name) is not None}


def judges_path() -> set[str]:
    path, wait = set(), [ENTRY]
    while wait:
        module = wait.pop()
        if module not in path:
            path.add(module)
            wait += imported(module)
    return path


def test_no_module_on_the_judges_path_knows_the_sealed_table():
    path = judges_path()
    on_it = {"answers", "links", "assignments", "trial_views", "judge"}
    assert {f"judging.{name}" for name in on_it} | {"store", "store.models"} <= path
    for module in sorted(path - {"tables"}):  # which documents all tables, and reads none
        tree = ast.parse(file_of(module).read_text(encoding="utf-8"))
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        names |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        names |= {
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        assert not names & {*SEALING, "sealed"}, module
    assert not path & set(SEALING)


def test_the_walk_would_see_it():
    assert "store.sealed" in imported("store.load")
    assert "owner.export" in imported("owner.service")


def test_the_judges_tables_lead_nowhere_else():
    assert "sealed_sources" not in models.metadata.tables
    assert store_sealed.sealed_sources.metadata is not models.metadata
    assert "sealed_sources" not in judge_guard.READ | judge_guard.WRITE


@pytest.fixture
def recorded(study):
    """Every statement that the judges' engine sends, with its parameters."""
    sent = []
    event.listen(
        study.judge_engine,
        "before_cursor_execute",
        lambda c, cursor, statement, parameters, context, many: sent.append(
            f"{statement} {parameters}"
        ),
    )
    return sent


def test_a_whole_session_asks_for_nothing_sealed(study, recorded):
    (desk,) = study.judges()
    seen = []
    for _ in range(5):
        view = desk.next_trial()
        seen += [view, desk.answer(view.trial_id, view.answers[0], "2", "a reason")]
        seen.append(desk.practice_feedback())
        assert (seen[-1] is not None) == view.practice
    seen.append(desk.last_trial())
    change_last(desk)
    desk.pause()
    seen += [desk.next_trial(), desk.progress(), desk.completion_code()]
    desk.resume()
    desk.go_on()
    seen += [answer_all(desk), desk.next_trial(), desk.completion_code()]
    asked = " ".join(recorded).lower()
    assert "from trials" in asked and len(recorded) > 50
    for word in ("sealed", "purpose", "mirror", "truth", *SECRETS):
        assert word not in asked, word
        assert word not in repr(seen).lower(), word


def test_the_fence_refuses_what_the_code_does_not_do(study):
    sealed = store_sealed.sealed_sources
    hidden = select(sealed.c.trial_id)
    trials = models.trials
    for statement in (
        hidden,
        select(trials.c.kind).where(trials.c.trial_id.in_(hidden)),
        select(hidden.subquery()),
        select(trials.c.kind).join(sealed, sealed.c.trial_id == trials.c.trial_id),
        select(trials.c.kind).where(hidden.exists()),
        trials.insert().values(study_id="s1"),
        models.judgments.insert().from_select(["reason"], select(sealed.c.source)),
        select(models.audit),
        text("SELECT 1"),
        select(text("1")),
    ):
        with pytest.raises(OffLimits):
            write(study.judge_engine, lambda c, statement=statement: c.execute(statement))


def test_sqlite_itself_refuses_it(study):
    for sql in (
        "SELECT source FROM sealed_sources",
        "SELECT count(*) FROM sealed_sources",
        "SELECT * FROM audit",
        "DELETE FROM judgments",
        "UPDATE trials SET kind = 'x'",
        "SELECT sql FROM sqlite_master",
        "ATTACH DATABASE 'x' AS y",
        "PRAGMA writable_schema = 1",
        "DROP TABLE judgments",
        "CREATE VIEW v AS SELECT * FROM sealed_sources",
    ):
        with pytest.raises(DatabaseError, match=r"prohibited|not authorized"):
            read(study.judge_engine, lambda c, sql=sql: c.exec_driver_sql(sql).all())


def test_the_owners_engine_is_not_fenced(study):
    found = read(study.service.engine, lambda c: c.execute(select(store_sealed.sealed_sources)))
    assert found is not None
