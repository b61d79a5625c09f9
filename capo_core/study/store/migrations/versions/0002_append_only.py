"""Triggers: what is written stays written.

A frozen study's tables and the audit log take new rows and nothing else. A judgment may be
withdrawn, once; nothing else in it changes. A study may be closed once, and unblinded once after
that.
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

FROZEN = ("trials", "texts", "cards", "assignments", "feedback", "sealed_sources", "audit")
JUDGMENT = (
    "judgment_id, study_id, judge_id, trial_id, phase, judge_slot, place, displayed, answer, side, "
    "confidence, reason, shown, answered"
)
STUDY = "study_id, terms, frozen_hash, created"
# name, table, event, condition, words
RULES = (
    *(
        (f"{table}_{act.lower()}", table, act, "", f"rows of {table} are never changed or deleted")
        for table in FROZEN
        for act in ("UPDATE", "DELETE")
    ),
    ("judgments_delete", "judgments", "DELETE", "", "judgments are never deleted"),
    (
        "judgments_update",
        "judgments",
        f"UPDATE OF {JUDGMENT}",
        "",
        "a judgment is withdrawn, never changed",
    ),
    (
        "judgments_withdraw",
        "judgments",
        "UPDATE OF withdrawn",
        "OLD.withdrawn IS NOT NULL OR NEW.withdrawn IS NULL",
        "a judgment is withdrawn once",
    ),
    ("studies_delete", "studies", "DELETE", "", "a study is never deleted"),
    ("studies_update", "studies", f"UPDATE OF {STUDY}", "", "a frozen study does not change"),
    (
        "studies_close",
        "studies",
        "UPDATE OF closed",
        "OLD.closed IS NOT NULL OR NEW.closed IS NULL",
        "a study is closed once",
    ),
    (
        "studies_unblind",
        "studies",
        "UPDATE OF unblinded",
        "OLD.unblinded IS NOT NULL OR NEW.unblinded IS NULL OR OLD.closed IS NULL",
        "a study is unblinded once, after it was closed",
    ),
)


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        _postgresql()
        return
    for name, table, act, condition, words in RULES:
        when = f" WHEN {condition}" if condition else ""
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {act} ON {table} FOR EACH ROW{when} "
            f"BEGIN SELECT RAISE(ABORT, '{words}'); END"
        )


def _postgresql() -> None:
    op.execute(
        "CREATE FUNCTION capo_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'integrity_constraint_violation';"
        " END $$"
    )
    for name, table, act, condition, words in RULES:
        when = f" WHEN ({condition})" if condition else ""
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {act} ON {table} FOR EACH ROW{when} "
            f"EXECUTE FUNCTION capo_refuse('{words}')"
        )
    for table in (*FROZEN, "judgments", "studies"):
        op.execute(
            f"CREATE TRIGGER {table}_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT "
            f"EXECUTE FUNCTION capo_refuse('rows of {table} are never deleted')"
        )
