"""A role that reads for one organisation, and row-level security that lets it see no other."""

import psycopg
import sqlalchemy as sa
from alembic import op
from sqlalchemy.exc import DBAPIError

from core.errors import NotReady
from database.roles import READER, who_may_read

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

SUMS = (
    "calls, attempts, adjustments, input_tokens, cache_read_tokens, cache_write_5m_tokens, "
    "cache_write_1h_tokens, output_tokens, hit_rates, hit_rates_sum, cost_usd, saved_usd"
)
# What the reader may see of which table, and by which column the rows of its organisation are known.
OF_ONE_ORGANIZATION = {
    "organization": ("id", "id, name, timezone"),
    "coach": ("organization_id", "id, auth_id, organization_id, name"),
    "player": ("organization_id", "id, organization_id"),
    "ai_usage_log": (
        "organization_id",
        "attempt_id, call_id, occurred_at, organization_id, coach_id, player_id, operation, model, lane, "
        "service_tier, inference_geo, input_tokens, cache_read_tokens, cache_write_5m_tokens, "
        "cache_write_1h_tokens, output_tokens, cost_usd, estimated_cost_usd, cache_hit_rate, outcome, "
        "prompt_version, flow_run_id",
    ),
    "rollup_organization_day": (
        "organization_id",
        f"utc_day, organization_id, local_day, operation, model, lane, service_tier, {SUMS}",
    ),
    "rollup_coach_day": ("organization_id", f"utc_day, organization_id, coach_id, local_day, {SUMS}"),
    "rollup_player_day": ("organization_id", f"utc_day, organization_id, player_id, local_day, {SUMS}"),
    "summary_run": (
        "organization_id",  # a run of all clubs has none, and is nobody's to see
        "run_id, lane, model, organization_id, started_at, ended_at, insights, calls, billed_usd, "
        "uncached_usd, floor_usd, efficiency, alone_uncached_usd, alone_cached_usd, packed_usd",
    ),
}
OF_NOBODY = {  # rows that belong to no organisation
    "rollup_dirty_day": "subject, utc_day",
    "rollup_day": "utc_day, price_version",
    "prompt": "version, sport, tone, instructions, sport_sheet, tone_text, answer_schema",
    "token_count": "model, text_key, tokens",
}
EVERYBODY = "of_everybody_else"
POLICY = "of_the_organization_that_is_read_for"
# The server has one role for all its databases, and several of them may be migrated at once.
CREATE_READER = f"""
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{READER}') THEN
        CREATE ROLE {READER} NOLOGIN;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;
END $$
"""
MAY_BECOME_READER = """
SELECT pg_has_role(current_user, :reader,
    CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END)
"""
GRANT_READER = f"""
DO $$ BEGIN
    GRANT {READER} TO CURRENT_USER;
EXCEPTION WHEN unique_violation THEN
    NULL;
END $$
"""


def upgrade() -> None:
    _make_reader()
    for table, (column, columns) in OF_ONE_ORGANIZATION.items():
        op.execute(f"GRANT SELECT ({columns}) ON {table} TO {READER}")
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        # A user who works on the tables without owning them is not to see less than before; and one who may
        # become the reader has its policies, too: so they ask who it is right now. As queries of their own
        # the two questions are asked once, not for each row.
        op.execute(f"CREATE POLICY {EVERYBODY} ON {table} USING (true) WITH CHECK (true)")
        op.execute(
            f"CREATE POLICY {POLICY} ON {table} AS RESTRICTIVE "
            f"USING ((SELECT current_user <> '{READER}') "
            f"OR {column} = (SELECT nullif(current_setting('app.organization_id', true), '')))"
        )
    for table, columns in OF_NOBODY.items():
        op.execute(f"GRANT SELECT ({columns}) ON {table} TO {READER}")


def _make_reader() -> None:
    """Make the role, and let whoever migrates become it. Raises NotReady when that is not for this user."""
    connection = op.get_bind()
    user = str(connection.execute(sa.text("SELECT quote_ident(current_user)")).scalar_one())
    try:
        op.execute(CREATE_READER)
        if not connection.execute(sa.text(MAY_BECOME_READER), {"reader": READER}).scalar_one():
            op.execute(GRANT_READER)
    except DBAPIError as error:
        if isinstance(error.orig, psycopg.errors.InsufficientPrivilege):
            raise NotReady(who_may_read(user)) from error
        raise


def downgrade() -> None:
    """The role stays: other databases of the server may use it."""
    for table in OF_ONE_ORGANIZATION:
        op.execute(f"DROP POLICY {POLICY} ON {table}")
        op.execute(f"DROP POLICY {EVERYBODY} ON {table}")
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
    for table in (*OF_ONE_ORGANIZATION, *OF_NOBODY):
        op.execute(f"REVOKE ALL ON {table} FROM {READER}")
