"""The texts of prompt versions."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "prompt",
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("sport", sa.String(), nullable=False),
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
        sa.Column("format", sa.String(), nullable=False),
        sa.Column("instructions", sa.String(), nullable=False),
        sa.Column("sport_sheet", sa.String(), nullable=False),
        sa.Column("tone_text", sa.String(), nullable=False),
        sa.Column("answer_schema", sa.String(), nullable=False),
        sa.Column("first_used_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_prompt")),
    )


def downgrade() -> None:
    op.drop_table("prompt")
