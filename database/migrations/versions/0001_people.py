"""Clubs and their people."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "organization",
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("timezone", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organization")),
    )
    op.create_table(
        "coach",
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("auth_id", sa.String(length=128), nullable=False),
        sa.Column("user_id", sa.String(length=128), nullable=True),
        sa.Column("organization_id", sa.String(length=128), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column(
            "tone",
            sa.Enum(
                "warm",
                "professional",
                "brief",
                name="tone",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("summaries_enabled", sa.Boolean(), nullable=False),
        sa.Column("skip_sensitive", sa.Boolean(), nullable=False),
        sa.Column("approvals", sa.Integer(), nullable=False),
        sa.Column("suppressions", sa.Integer(), nullable=False),
        sa.Column("preferred_level", sa.Integer(), nullable=True),
        sa.CheckConstraint("approvals >= 0", name=op.f("ck_coach_approvals_not_negative")),
        sa.CheckConstraint("preferred_level BETWEEN 0 AND 3", name=op.f("ck_coach_preferred_level_range")),
        sa.CheckConstraint("suppressions >= 0", name=op.f("ck_coach_suppressions_not_negative")),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name=op.f("fk_coach_organization_id_organization")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_coach")),
        sa.UniqueConstraint("auth_id", name=op.f("uq_coach_auth_id")),
    )
    op.create_index(op.f("ix_coach_organization_id"), "coach", ["organization_id"], unique=False)
    op.create_table(
        "player",
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("organization_id", sa.String(length=128), nullable=False),
        sa.Column("first_name", sa.String(), nullable=False),
        sa.Column("last_name", sa.String(), nullable=True),
        sa.Column("date_of_birth", sa.Date(), nullable=True),
        sa.Column("age_group", sa.String(), nullable=True),
        sa.Column("sport", sa.String(), nullable=False),
        sa.Column("team", sa.String(), nullable=True),
        sa.Column("position", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name=op.f("fk_player_organization_id_organization")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_player")),
    )
    op.create_index(op.f("ix_player_organization_id"), "player", ["organization_id"], unique=False)
    op.create_table(
        "guardian",
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("player_id", sa.String(length=128), nullable=False),
        sa.Column("name", sa.String(), nullable=True),
        sa.Column("email", sa.String(), nullable=True),
        sa.Column(
            "status",
            sa.Enum(
                "active",
                "pending",
                "declined",
                name="status",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("consented", sa.Boolean(), nullable=False),
        sa.Column("parental_responsibility", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["player_id"], ["player.id"], name=op.f("fk_guardian_player_id_player")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_guardian")),
    )
    op.create_index(op.f("ix_guardian_player_id"), "guardian", ["player_id"], unique=False)


def downgrade() -> None:
    for table in ("guardian", "player", "coach", "organization"):
        op.drop_table(table)
