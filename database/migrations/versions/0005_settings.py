"""Settings of the platform and of its clubs, and every change of them."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "setting",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("organization_id", sa.String(128)),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name=op.f("fk_setting_organization_id_organization")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_setting")),
    )
    op.create_index(
        "uq_setting_name",
        "setting",
        ["organization_id", "name"],
        unique=True,
        postgresql_nulls_not_distinct=True,
    )
    op.create_table(
        "setting_change",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("organization_id", sa.String(128)),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("old_value", sa.String()),
        sa.Column("new_value", sa.String()),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_setting_change")),
    )
    # Alembic compares neither functions nor triggers with the models: an integration test does.
    op.execute(
        "CREATE FUNCTION refuse_to_alter() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE '% only grows: % is refused', TG_TABLE_NAME, TG_OP "
        "USING ERRCODE = 'restrict_violation'; END $$"
    )
    op.execute(
        "CREATE TRIGGER refuse_to_alter BEFORE UPDATE OR DELETE OR TRUNCATE ON setting_change "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_alter()"
    )


def downgrade() -> None:
    op.drop_table("setting_change")
    op.drop_table("setting")
    op.execute("DROP FUNCTION refuse_to_alter()")
