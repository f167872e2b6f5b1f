"""Decisions about summaries, the events that follow, trust, and triggers that keep to the table of moves."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

TAUGHT = "event IN ('approve', 'suppress', 'revoke', 'deliver')"
STATES = ("pending_review", "auto_approved", "approved", "suppressed", "delivered", "viewed")
EVENTS = ("created", "approve", "edit", "suppress", "revoke", "deliver", "view", "acknowledge")
FEEDBACK = ("inaccurate", "too_sensitive", "wrong_timing", "other")
OVERRIDES = ("approved_low_confidence", "rejected_high_confidence", "edited", "revoked_auto")
WHY = (
    "lowered",
    "raised",
    "both_cancel",
    "unchanged",
    "at_lowest",
    "at_highest",
    "decayed",
    "forgotten",
    "too_few",
    "own_is_stricter",
)
CHECKS = {
    "only_normal_by_itself": "decision = 'review' OR category = 'normal' AND model_category = 'normal'"
    " AND category_confidence >= 0.8 AND cardinality(flags) = 0",
    "decision_has_tier": "(decision = 'approve') = (tier = 'auto_send')"
    " AND (decision = 'approve') = (revocable_until IS NOT NULL)",
    "rehearsal_stays": "NOT (rehearsal AND state IN ('delivered', 'viewed'))",
}
DECIDED = ("decision", "tier", "decision_reasons", "evidence", "preview", "revocable_until")
FOLLOWING = ("original_text", "acknowledged_at", "suppression_reason")
COUNTS = ("decisions", "low_reviewed", "low_approved", "high_reviewed", "high_rejected")

# Alembic compares neither functions nor triggers with the models: an integration test does.
MOVES = """
    ('pending_review', 'approved'), ('pending_review', 'suppressed'), ('auto_approved', 'suppressed'),
    ('auto_approved', 'delivered'), ('approved', 'delivered'), ('delivered', 'viewed')
"""
STAYS = (
    "id",
    "insight_id",
    "organization_id",
    "player_id",
    "attempt_id",
    "prompt_version",
    "model",
    "category",
    "model_category",
    "category_confidence",
    "confidence",
    "reason",
    "flags",
    "rehearsal",
    "created_at",
    "decision",
    "tier",
    "decision_reasons",
    "evidence",
    "preview",
    "revocable_until",
)
NEW_STAYS, OLD_STAYS = (", ".join(f"{row}.{column}" for column in STAYS) for row in ("NEW", "OLD"))
BEGINS_AS_DECIDED = """
CREATE FUNCTION summary_begins_as_decided() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.state <> (CASE NEW.decision WHEN 'approve' THEN 'auto_approved' ELSE 'pending_review' END) THEN
        RAISE 'a new summary with the decision % cannot be %', NEW.decision, NEW.state
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$
"""
MOVES_AS_ALLOWED = f"""
CREATE FUNCTION summary_moves_as_allowed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN ({MOVES}) THEN
        RAISE 'a summary that is % cannot become %', OLD.state, NEW.state
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.text <> OLD.text AND OLD.state <> 'pending_review' THEN
        RAISE 'the text of a summary that is % cannot change', OLD.state USING ERRCODE = 'restrict_violation';
    END IF;
    IF ({NEW_STAYS}) IS DISTINCT FROM ({OLD_STAYS}) THEN
        RAISE 'what was decided about a summary stays' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$
"""
# Looked at when the transaction ends, so that the order of the two writes does not matter.
HAS_ITS_EVENT = """
CREATE FUNCTION summary_has_its_event() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE event summary_event%ROWTYPE;
BEGIN
    SELECT * INTO event FROM summary_event
    WHERE summary_id = NEW.id AND to_state = NEW.state
      AND from_state IS NOT DISTINCT FROM (CASE TG_OP WHEN 'UPDATE' THEN OLD.state END)
    ORDER BY id DESC LIMIT 1;
    IF NOT FOUND THEN
        RAISE 'the summary % moved without an event', NEW.id USING ERRCODE = 'restrict_violation';
    END IF;
    IF event.from_state = 'auto_approved' AND NEW.state = 'delivered' AND event.at < NEW.revocable_until THEN
        RAISE 'the summary % can still be revoked', NEW.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$
"""


def upgrade() -> None:
    _decisions()
    _events()
    _trust()
    # No command could move a summary before: whatever state one is in, its history begins there.
    op.execute(
        "INSERT INTO summary_event (summary_id, at, actor, event, to_state) "
        "SELECT id, created_at, 'rules', 'created', state FROM summary ORDER BY created_at, id"
    )
    for function in (BEGINS_AS_DECIDED, MOVES_AS_ALLOWED, HAS_ITS_EVENT):
        op.execute(function)
    op.execute(
        "CREATE TRIGGER begins_as_decided BEFORE INSERT ON summary "
        "FOR EACH ROW EXECUTE FUNCTION summary_begins_as_decided()"
    )
    op.execute(
        "CREATE TRIGGER moves_as_allowed BEFORE UPDATE ON summary "
        "FOR EACH ROW EXECUTE FUNCTION summary_moves_as_allowed()"
    )
    op.execute(
        "CREATE CONSTRAINT TRIGGER moves_with_its_event AFTER UPDATE OF state ON summary "
        "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD.state <> NEW.state) "
        "EXECUTE FUNCTION summary_has_its_event()"
    )
    op.execute(
        "CREATE CONSTRAINT TRIGGER begins_with_its_event AFTER INSERT ON summary "
        "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION summary_has_its_event()"
    )
    op.execute(
        "CREATE TRIGGER refuse_to_alter BEFORE UPDATE OR DELETE OR TRUNCATE ON summary_event "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_alter()"
    )


def downgrade() -> None:
    for trigger in (
        "begins_with_its_event",
        "moves_with_its_event",
        "moves_as_allowed",
        "begins_as_decided",
    ):
        op.execute(f"DROP TRIGGER {trigger} ON summary")
    for function in ("has_its_event", "moves_as_allowed", "begins_as_decided"):
        op.execute(f"DROP FUNCTION summary_{function}()")
    for table in ("threshold_week", "coach_trust", "summary_event"):
        op.drop_table(table)
    for name in CHECKS:
        op.drop_constraint(op.f(f"ck_summary_{name}"), "summary")
    for column in (*DECIDED, *FOLLOWING):
        op.drop_column("summary", column)


def _decisions() -> None:
    """Give every summary its decision; those from before were all for review, as nothing else existed."""
    columns: tuple[sa.Column[Any], ...] = (
        sa.Column(
            "decision", _checked("decision", "review", "approve"), nullable=False, server_default="review"
        ),
        sa.Column(
            "tier",
            _checked("tier", "manual_review", "flagged", "auto_send"),
            nullable=False,
            server_default="manual_review",
        ),
        sa.Column("decision_reasons", sa.ARRAY(sa.Text()), nullable=False, server_default="{}"),
        sa.Column("evidence", pg.JSONB(), nullable=False, server_default="{}"),
    )
    for column in columns:
        op.add_column("summary", column)
    for column in columns:
        op.alter_column("summary", column.name, server_default=None)
    op.add_column("summary", sa.Column("preview", _checked("preview", "review", "approve")))
    for name, kind in (
        ("revocable_until", sa.DateTime(timezone=True)),
        ("original_text", sa.String()),
        ("acknowledged_at", sa.DateTime(timezone=True)),
        ("suppression_reason", sa.String()),
    ):
        op.add_column("summary", sa.Column(name, kind))
    for name, check in CHECKS.items():
        op.create_check_constraint(op.f(f"ck_summary_{name}"), "summary", check)


def _events() -> None:
    op.create_table(
        "summary_event",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("summary_id", sa.String(128), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(128), nullable=False),
        sa.Column("event", _checked("event", *EVENTS), nullable=False),
        sa.Column("from_state", _checked("from_state", *STATES)),
        sa.Column("to_state", _checked("to_state", *STATES), nullable=False),
        sa.Column("feedback", _checked("feedback", *FEEDBACK)),
        sa.Column("override", _checked("override", *OVERRIDES)),
        sa.Column("ticks", sa.ARRAY(sa.Text()), nullable=False, server_default="{}"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_summary_event")),
    )
    op.create_index("ix_summary_event_summary", "summary_event", ["summary_id", "id"])
    op.create_index("ix_summary_event_time", "summary_event", ["at"], postgresql_where=sa.text(TAUGHT))


def _trust() -> None:
    op.create_table(
        "coach_trust",
        sa.Column("coach_id", sa.String(128), nullable=False),
        *(
            sa.Column(name, sa.Integer(), nullable=False, server_default="0")
            for name in ("approvals", "suppressions")
        ),
        sa.Column("preferred_level", sa.Integer()),
        sa.Column("own_threshold", sa.Numeric(7, 6)),
        sa.Column("learned_threshold", sa.Numeric(7, 6)),
        *(
            sa.CheckConstraint(f"{name} >= 0", name=op.f(f"ck_coach_trust_{name}_not_negative"))
            for name in ("approvals", "suppressions")
        ),
        sa.CheckConstraint(
            "preferred_level BETWEEN 0 AND 3", name=op.f("ck_coach_trust_preferred_level_range")
        ),
        sa.CheckConstraint(
            "own_threshold BETWEEN 0.60 AND 1", name=op.f("ck_coach_trust_own_threshold_range")
        ),
        sa.CheckConstraint(
            "learned_threshold BETWEEN 0.60 AND 0.85", name=op.f("ck_coach_trust_learned_threshold_range")
        ),
        _follows_coach("coach_trust"),
        sa.PrimaryKeyConstraint("coach_id", name=op.f("pk_coach_trust")),
    )
    op.create_table(
        "threshold_week",
        sa.Column("coach_id", sa.String(128), nullable=False),
        sa.Column("week", sa.Date(), nullable=False),
        sa.Column("learned_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("previous", sa.Numeric(7, 6)),
        sa.Column("threshold", sa.Numeric(7, 6)),
        sa.Column("reason", _checked("reason", *WHY), nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in COUNTS),
        *(
            sa.CheckConstraint(f"{name} >= 0", name=op.f(f"ck_threshold_week_{name}_not_negative"))
            for name in COUNTS
        ),
        _follows_coach("threshold_week"),
        sa.PrimaryKeyConstraint("coach_id", "week", name=op.f("pk_threshold_week")),
    )


def _follows_coach(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["coach_id"], ["coach.id"], name=op.f(f"fk_{table}_coach_id_coach"), onupdate="CASCADE"
    )


def _checked(name: str, *members: str) -> sa.Enum:
    return sa.Enum(*members, name=name, native_enum=False, create_constraint=True, length=32)
