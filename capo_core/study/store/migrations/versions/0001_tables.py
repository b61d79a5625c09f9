"""The tables as they were first.

Loaded tables of a study (a judge may see them; `sealed_sources` apart), then what people do.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "studies",
        *_texts("study_id", "terms", "frozen_hash"),
        sa.Column("created", sa.DateTime(), nullable=False),
        *_times("closed", "unblinded"),
        sa.PrimaryKeyConstraint("study_id", name="pk_studies"),
    )
    _loaded(
        "trials",
        ("trial_id",),
        _texts("trial_id", "kind", "phase", "item_id", "target_annotator_id", "text_ids"),
    )
    _loaded(
        "texts",
        ("text_id",),
        _texts("text_id", "item_id", "text_a", "text_b", "label", "explanation"),
    )
    _loaded("cards", ("annotator_id",), _texts("annotator_id", "examples"))
    _loaded(
        "assignments",
        ("judge_slot", "trial_id"),
        [*_texts("judge_slot", "trial_id"), _count("position"), *_texts("order")],
    )
    _loaded("feedback", ("trial_id",), _texts("trial_id", "answer", "note"))
    op.create_table(
        "sealed_sources",
        *_texts("study_id", "trial_id"),
        _count("slot"),
        *_texts("text_id", "source", "annotator_id", "run_id", "purpose", "mirror_of", "truth"),
        sa.PrimaryKeyConstraint("study_id", "trial_id", "slot", name="pk_sealed_sources"),
    )
    _people()
    _answers()
    op.create_table(
        "attempts",
        *_texts("caller"),
        sa.Column("window_start", sa.DateTime(), nullable=False),
        _count("count"),
        sa.PrimaryKeyConstraint("caller", "window_start", name="pk_attempts"),
    )
    op.create_table(
        "audit",
        sa.Column("audit_id", KEY, autoincrement=True, nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        *_texts("study_id", "actor", "event", "details"),
        sa.PrimaryKeyConstraint("audit_id", name="pk_audit"),
    )
    op.create_index("ix_audit_study_id", "audit", ["study_id"])


def _people() -> None:
    op.create_table(
        "judges",
        *_texts("judge_id", "study_id", "judge_slot", "note", "completion_code"),
        sa.Column("invited", sa.DateTime(), nullable=False),
        *_times("consented", "paused", "goes_on", "last_seen", "revoked"),
        sa.PrimaryKeyConstraint("judge_id", name="pk_judges"),
        _to("studies", "judges", "study_id"),
    )
    held = "revoked IS NULL AND judge_slot <> ''"
    _unique("one_judge_a_slot", "judges", ["study_id", "judge_slot"], held)
    op.create_table(
        "links",
        *_texts("token_hash", "judge_id"),
        sa.Column("created", sa.DateTime(), nullable=False),
        sa.Column("expires", sa.DateTime(), nullable=False),
        *_times("revoked", "opened"),
        sa.PrimaryKeyConstraint("token_hash", name="pk_links"),
        _to("judges", "links", "judge_id"),
    )
    op.create_index("ix_links_judge_id", "links", ["judge_id"])
    op.create_table(
        "claims",
        *_texts("study_id", "judge_id", "trial_id", "judge_slot"),
        sa.Column("shown", sa.DateTime(), nullable=False),
        sa.Column("until", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("study_id", "judge_id", "trial_id", name="pk_claims"),
        _to("studies", "claims", "study_id"),
        _to("judges", "claims", "judge_id"),
    )
    op.create_index("ix_claims_place", "claims", ["study_id", "judge_slot", "trial_id"])


def _answers() -> None:
    op.create_table(
        "judgments",
        sa.Column("judgment_id", KEY, autoincrement=True, nullable=False),
        *_texts("study_id", "judge_id", "trial_id", "phase", "judge_slot", "place"),
        *_texts("displayed", "answer", "side", "confidence", "reason"),
        sa.Column("shown", sa.DateTime(), nullable=False),
        sa.Column("answered", sa.DateTime(), nullable=False),
        *_times("withdrawn"),
        sa.PrimaryKeyConstraint("judgment_id", name="pk_judgments"),
        _to("studies", "judgments", "study_id"),
        _to("judges", "judgments", "judge_id"),
        sa.ForeignKeyConstraint(
            ["study_id", "trial_id"],
            ["trials.study_id", "trials.trial_id"],
            name="fk_judgments_study_id_trial_id",
        ),
    )
    stands = "withdrawn IS NULL"
    _unique("one_standing_judgment", "judgments", ["study_id", "judge_id", "trial_id"], stands)
    fills = "withdrawn IS NULL AND place <> ''"
    _unique("one_judgment_a_place", "judgments", ["study_id", "place", "trial_id"], fills)


def _loaded(name: str, key: tuple[str, ...], columns: list[sa.Column]) -> None:
    op.create_table(
        name,
        *_texts("study_id"),
        *columns,
        sa.PrimaryKeyConstraint("study_id", *key, name=f"pk_{name}"),
        _to("studies", name, "study_id"),
    )


def _texts(*names: str) -> list[sa.Column]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def _times(*names: str) -> list[sa.Column]:
    return [sa.Column(name, sa.DateTime(), nullable=True) for name in names]


def _count(name: str) -> sa.Column:
    return sa.Column(name, sa.Integer(), nullable=False, autoincrement=False)


def _to(parent: str, table: str, column: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{parent}.{column}"], name=f"fk_{table}_{column}")


def _unique(name: str, table: str, columns: list[str], only: str) -> None:
    """A rule for the rows that `only` names; both databases know such indexes."""
    rows = sa.text(only)
    op.create_index(name, table, columns, unique=True, sqlite_where=rows, postgresql_where=rows)
