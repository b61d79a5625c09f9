"""Participants of a platform: their id with the judge, and open links by which they come."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("judges", sa.Column("participant", sa.Text(), nullable=False, server_default=""))
    given = sa.text("participant <> ''")
    op.create_index(
        "one_judge_a_participant",
        "judges",
        ["study_id", "participant"],
        unique=True,
        sqlite_where=given,
        postgresql_where=given,
    )
    op.create_table(
        "open_links",
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("study_id", sa.Text(), nullable=False),
        sa.Column("created", sa.DateTime(), nullable=False),
        sa.Column("expires", sa.DateTime(), nullable=False),
        sa.Column("revoked", sa.DateTime(), nullable=True),
        sa.Column("places", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name="pk_open_links"),
        sa.ForeignKeyConstraint(["study_id"], ["studies.study_id"], name="fk_open_links_study_id"),
    )
    op.create_index("ix_open_links_study_id", "open_links", ["study_id"])
