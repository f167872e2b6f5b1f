"""What a coach stands at: earned from history alone, capped by preference, taught by the weeks."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from core.errors import BadInput, PersonNotFound
from core.settings import Settings
from database.engine import connect
from models import tables
from tasks import reviews, trust
from tasks.config import list_changes
from tasks.learning import learn_thresholds
from tests.integration.stored_rows import AT, Rows

COACH = "coach-club"
SUNDAY = datetime(2026, 3, 8, 2, tzinfo=UTC)


@pytest.fixture
def rows(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rows]:
    monkeypatch.setenv("DATABASE_URL", database_url)
    engine = connect(database_url)
    made = Rows(engine)
    made.club()
    yield made
    engine.dispose()


def carried_over(rows: Rows, approvals: int, suppressions: int = 0, preferred: int | None = None) -> None:
    with rows.engine.begin() as connection:
        connection.execute(
            sa.text("UPDATE coach SET approvals = :a, suppressions = :s, preferred_level = :p"),
            {"a": approvals, "s": suppressions, "p": preferred},
        )


def levels(rows: Rows) -> tuple[int, int | None, int]:
    found = trust.show_trust(rows.engine, COACH)
    return found["earned"], found["preferred"], found["effective"]


def learned(now: datetime = SUNDAY) -> list[tuple[Any, Any, str]]:
    taught = learn_thresholds(Settings(), now)
    return [(row["previous"], row["threshold"], row["reason"]) for row in taught]


def decided(rows: Rows, number: int, confidence: str, act: str, at: datetime = AT) -> None:
    for _ in range(number):
        one = rows.summary(confidence=Decimal(confidence))
        if act == "approve":
            reviews.approve(rows.engine, COACH, one, now=at)
        else:
            reviews.suppress(rows.engine, COACH, one, now=at)


def test_a_coach_who_has_done_nothing_stands_at_the_defaults(rows: Rows) -> None:
    found = trust.show_trust(rows.engine, COACH)
    assert (found["earned"], found["preferred"], found["effective"]) == (0, None, 0)
    assert found["threshold"] == Decimal("0.70")
    assert found["progress"] == {
        "next_level": 1,
        "approvals_needed": 10,
        "held_back_by_suppression_rate": False,
        "sentence": "Level 1 is 10 more approvals away.",
    }
    assert found["preview"] == {"decisions": 0, "agreement": None, "complete": False}


def test_history_from_upstream_and_from_here_count_together(rows: Rows) -> None:
    carried_over(rows, 9)
    assert levels(rows) == (0, None, 0)
    decided(rows, 1, "0.9", "approve")
    assert levels(rows) == (1, None, 1)
    carried_over(rows, 49)  # the upstream app goes on counting: what was counted here stays
    assert levels(rows) == (2, None, 2)


def test_lowering_the_preference_and_restoring_it_restores_exactly_what_was(rows: Rows) -> None:
    carried_over(rows, 300, 10)
    assert levels(rows) == (3, None, 2)
    for level, effective in ((3, 3), (0, 0), (1, 1), (2, 2), (3, 3), (None, 2)):
        trust.set_level(rows.engine, COACH, level, now=AT)
        assert levels(rows) == (3, level, effective)


def test_what_was_set_here_counts_before_what_the_upstream_app_says(rows: Rows) -> None:
    carried_over(rows, 300, preferred=3)
    assert levels(rows) == (3, 3, 3)
    trust.set_level(rows.engine, COACH, 1, now=AT)
    carried_over(rows, 300, preferred=3)  # ingested again
    assert levels(rows) == (3, 1, 1)
    trust.set_level(rows.engine, COACH, None, now=AT)
    assert levels(rows) == (3, 3, 3)


def test_progress_says_that_the_suppression_rate_holds_a_coach_back(rows: Rows) -> None:
    carried_over(rows, 60, 10)
    progress = trust.show_trust(rows.engine, COACH)["progress"]
    assert progress["held_back_by_suppression_rate"]
    assert progress["approvals_needed"] == 30
    assert "Held back from level 2 by the suppression rate" in progress["sentence"]


def test_each_change_is_noted_and_the_same_again_is_none(rows: Rows) -> None:
    for _ in range(2):
        trust.set_level(rows.engine, COACH, 1, now=AT)
        trust.set_threshold(rows.engine, COACH, Decimal("0.75"), now=AT)
    trust.set_threshold(rows.engine, COACH, None, now=AT)
    noted = [(row["name"], row["from"], row["to"], row["changed_by"]) for row in list_changes(rows.engine)]
    assert noted == [
        ("preferred_level of coach-club", None, "1", COACH),
        ("own_threshold of coach-club", None, "0.75", COACH),
        ("own_threshold of coach-club", "0.75", None, COACH),
    ]


def test_what_is_not_allowed_changes_nothing(rows: Rows) -> None:
    for threshold in ("0.59", "1.01", "NaN"):
        with pytest.raises(BadInput):
            trust.set_threshold(rows.engine, COACH, Decimal(threshold), now=AT)
    for level in (-1, 4):
        with pytest.raises(BadInput):
            trust.set_level(rows.engine, COACH, level, now=AT)
    with pytest.raises(PersonNotFound, match="user id not found"):
        trust.set_level(rows.engine, "nobody", 1, now=AT)
    assert list_changes(rows.engine) == []


def test_the_preview_counts_what_level_2_would_have_approved_and_the_coach_has_decided(rows: Rows) -> None:
    for act, preview in (("approve", "approve"), ("suppress", "approve"), ("approve", "review")):
        one = rows.summary(preview=preview)
        (reviews.approve if act == "approve" else reviews.suppress)(rows.engine, COACH, one, now=AT)
    edited = rows.summary(preview="approve")
    reviews.edit(rows.engine, COACH, edited, "In my own words.", now=AT)
    reviews.approve(rows.engine, COACH, edited, now=AT)
    rows.summary(preview="approve")  # not decided yet
    preview = trust.show_trust(rows.engine, COACH)["preview"]
    assert preview == {"decisions": 3, "agreement": pytest.approx(1 / 3), "complete": False}


def test_approving_low_confidence_lowers_the_threshold_once_a_week(rows: Rows) -> None:
    decided(rows, 20, "0.65", "approve")
    assert learned() == [(None, Decimal("0.65"), "lowered")]
    assert learned(SUNDAY + timedelta(hours=20)) == []
    assert trust.show_trust(rows.engine, COACH)["threshold"] == Decimal("0.65")
    assert learned(SUNDAY + timedelta(days=7)) == [(Decimal("0.65"), Decimal("0.60"), "lowered")]
    assert learned(SUNDAY + timedelta(days=14)) == [(Decimal("0.60"), Decimal("0.60"), "at_lowest")]
    weeks = trust.show_trust(rows.engine, COACH)["weeks"]
    assert [week["reason"] for week in weeks] == ["at_lowest", "lowered", "lowered"]


def test_rejecting_high_confidence_raises_it_and_what_went_out_unrevoked_counts_against_that(
    rows: Rows,
) -> None:
    decided(rows, 15, "0.90", "approve")
    decided(rows, 5, "0.85", "suppress")
    assert learned() == [(None, Decimal("0.75"), "raised")]
    for _ in range(6):
        one = rows.summary(state="auto_approved", rehearsal=False, confidence=Decimal("0.9"))
        rows.event(one, "deliver", "auto_approved", "delivered")
    assert learned(SUNDAY + timedelta(days=7)) == [(Decimal("0.75"), Decimal("0.75"), "unchanged")]


def test_with_too_little_it_decays_to_the_default_and_only_the_last_thirty_days_count(rows: Rows) -> None:
    decided(rows, 25, "0.90", "suppress")
    for week in range(3):
        learned(SUNDAY + timedelta(weeks=week))
    assert trust.show_trust(rows.engine, COACH)["threshold"] == Decimal("0.85")
    later = [learned(SUNDAY + timedelta(weeks=week)) for week in range(5, 9)]
    assert [taught[0][1:] for taught in later] == [
        (Decimal("0.80"), "decayed"),
        (Decimal("0.75"), "decayed"),
        (None, "forgotten"),
        (None, "too_few"),
    ]


def test_two_that_learn_at_once_learn_once(rows: Rows) -> None:
    decided(rows, 20, "0.65", "approve")
    with ThreadPoolExecutor(4) as pool:
        taught = list(pool.map(learned, [SUNDAY] * 4))
    assert sorted(map(len, taught)) == [0, 0, 0, 1]
    assert trust.show_trust(rows.engine, COACH)["threshold"] == Decimal("0.65")


def test_setting_an_own_threshold_does_not_touch_what_was_learned_which_counts_first(rows: Rows) -> None:
    decided(rows, 25, "0.90", "suppress")
    learned()
    for own in (Decimal("0.60"), None):
        trust.set_threshold(rows.engine, COACH, own, now=AT)
        found = trust.show_trust(rows.engine, COACH)
        assert (found["threshold"], found["learned_threshold"]) == (Decimal("0.75"), Decimal("0.75"))
        assert found["own_threshold"] == own


def test_when_the_coachs_key_moves_its_trust_and_its_weeks_move_along(rows: Rows) -> None:
    decided(rows, 20, "0.65", "approve")
    learned()
    with rows.engine.begin() as connection:
        connection.execute(sa.text("UPDATE coach SET id = 'key', user_id = 'key'"))
    for person in ("key", COACH):
        found = trust.show_trust(rows.engine, person)
        assert (found["coach_id"], found["approvals"], len(found["weeks"])) == ("key", 20, 1)
    assert rows_of(rows, tables.CoachTrust) == ["key"]


def rows_of(rows: Rows, table: type[Any]) -> list[str]:
    with rows.engine.connect() as connection:
        return [row.coach_id for row in connection.execute(sa.select(table.__table__))]
