"""A coach's decisions: who may make them, what they leave behind, and what the database itself refuses."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
import sqlalchemy as sa

from core.errors import BadInput, PersonNotFound
from core.states import Feedback, InjuryTick, SummaryState
from core.transitions import STATE_CHANGES, ForbiddenMove, NotYours, TicksMissing
from database.engine import connect
from models import tables
from tasks import reviews, trust
from tasks.moves import Moved
from tests.integration.stored_rows import AT, WAYS, Rows

LATER = AT + timedelta(minutes=10)
COACH = "coach-club"
AUTO = {"decision": "approve", "tier": "auto_send", "revocable_until": AT, "state": "auto_approved"}
ACTS: dict[str, Callable[[sa.Engine, str, str], Moved]] = {
    "approve": lambda engine, person, one: reviews.approve(engine, person, one, now=LATER),
    "edit": lambda engine, person, one: reviews.edit(engine, person, one, "Another text.", now=LATER),
    "suppress": lambda engine, person, one: reviews.suppress(engine, person, one, now=LATER),
    "revoke": lambda engine, person, one: reviews.revoke(engine, person, one, now=LATER),
}
ALLOWED = {
    ("pending_review", "approve"): "approved",
    ("pending_review", "edit"): "pending_review",
    ("pending_review", "suppress"): "suppressed",
    ("auto_approved", "revoke"): "suppressed",
}


@pytest.fixture
def rows(database_url: str) -> Any:
    engine = connect(database_url)
    made = Rows(engine)
    made.club()
    made.coach("another", "club")
    yield made
    engine.dispose()


def asked(rows: Rows, query: str, **values: Any) -> list[tuple[Any, ...]]:
    with rows.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.text(query), values)]


def state(rows: Rows, summary_id: str) -> str:
    return str(asked(rows, "SELECT state FROM summary WHERE id = :id", id=summary_id)[0][0])


def events(rows: Rows, summary_id: str) -> list[tuple[Any, ...]]:
    query = "SELECT actor, event, from_state, to_state FROM summary_event WHERE summary_id = :id ORDER BY id"
    return asked(rows, query, id=summary_id)


def counted(rows: Rows) -> tuple[int, int]:
    standing = trust.show_trust(rows.engine, COACH)
    return standing["approvals"], standing["suppressions"]


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("before", SummaryState)
def test_every_act_in_every_state_is_in_the_table_or_an_error_that_names_both_states(
    rows: Rows, before: SummaryState, act: str
) -> None:
    one = rows.summary(state=before)
    history = events(rows, one)
    if (before, act) in ALLOWED:
        after = ALLOWED[before, act]
        moved = ACTS[act](rows.engine, COACH, one)
        assert moved.to_json() == {"summary_id": one, "from": before, "to": after}
        assert events(rows, one) == [*history, (COACH, act, before, after)]
        assert state(rows, one) == after
        return
    with pytest.raises(ForbiddenMove, match=rf"is {before} cannot become"):
        ACTS[act](rows.engine, COACH, one)
    assert (state(rows, one), events(rows, one), counted(rows)) == (before, history, (0, 0))


@pytest.mark.parametrize("act", ACTS)
def test_anybody_but_the_owning_coach_is_refused_and_leaves_nothing(rows: Rows, act: str) -> None:
    one = rows.summary(state="auto_approved" if act == "revoke" else "pending_review")
    before = (state(rows, one), events(rows, one))
    for person, error in (("another", NotYours), ("nobody", PersonNotFound), ("", PersonNotFound)):
        with pytest.raises(error) as refused:
            ACTS[act](rows.engine, person, one)
        assert COACH not in str(refused.value)
    assert (state(rows, one), events(rows, one)) == before
    with pytest.raises(NotYours):
        reviews.show_review(rows.engine, "another", one)
    assert reviews.list_reviews(rows.engine, "another") == []


def test_a_coach_is_known_by_either_id_and_the_key_counts(rows: Rows) -> None:
    rows.insert(
        tables.Coach,
        {"id": "key", "auth_id": "auth", "user_id": "key", "organization_id": "club", "name": "A Coach"},
    )
    for person in ("key", "auth"):
        one = rows.summary(coach_id="key")
        reviews.approve(rows.engine, person, one, now=LATER)
        assert events(rows, one)[-1][0] == "key"
    assert trust.show_trust(rows.engine, "auth")["approvals"] == 2


def test_each_summary_counts_once(rows: Rows) -> None:
    approved, suppressed = rows.summary(), rows.summary()
    revoked = rows.summary(state="auto_approved")
    reviews.edit(rows.engine, COACH, approved, "A better text.", now=LATER)
    reviews.approve(rows.engine, COACH, approved, now=LATER)
    reviews.suppress(rows.engine, COACH, suppressed, now=LATER)
    reviews.revoke(rows.engine, COACH, revoked, now=LATER)
    for one in (approved, suppressed, revoked):
        for act in ACTS.values():
            with pytest.raises(ForbiddenMove):
                act(rows.engine, COACH, one)
    assert counted(rows) == (1, 2)


@pytest.mark.parametrize("category", ["injury", "safeguarding"])
def test_an_injury_needs_all_three_ticks_and_they_are_kept(rows: Rows, category: str) -> None:
    one = rows.summary(category=category)
    with pytest.raises(TicksMissing, match="missing: severity_accurate, no_medical_advice"):
        reviews.approve(rows.engine, COACH, one, ticks=[InjuryTick.PERSONALLY_OBSERVED], now=LATER)
    assert (state(rows, one), counted(rows)) == ("pending_review", (0, 0))
    reviews.approve(rows.engine, COACH, one, ticks=set(InjuryTick), now=LATER)
    assert reviews.show_review(rows.engine, COACH, one)["events"][-1]["ticks"] == list(InjuryTick)


def test_the_original_is_kept_through_every_edit(rows: Rows) -> None:
    one = rows.summary(text="The model's own.")
    for text in ("First.", "  Second.\n"):
        reviews.edit(rows.engine, COACH, one, text, now=LATER)
    shown = reviews.show_review(rows.engine, COACH, one)
    assert (shown["text"], shown["original_text"]) == ("Second.", "The model's own.")
    assert [event["override"] for event in shown["events"]] == [None, "edited", "edited"]


@pytest.mark.parametrize("text", ["", " \n ", "x" * 2_001, "a\0b", "bell \x07", "half \udcff"])
def test_a_text_that_no_parent_could_read_is_refused(rows: Rows, text: str) -> None:
    one = rows.summary(text="As it was.")
    with pytest.raises(BadInput, match="1 to 2000 characters"):
        reviews.edit(rows.engine, COACH, one, text, now=LATER)
    assert reviews.show_review(rows.engine, COACH, one)["text"] == "As it was."


def test_a_reason_in_words_stays_on_the_summary_and_only_its_feedback_is_an_event(rows: Rows) -> None:
    one, other = rows.summary(), rows.summary(state="auto_approved")
    told = {"reason": " Not for now. ", "feedback": Feedback.WRONG_TIMING}
    reviews.suppress(rows.engine, COACH, one, now=LATER, **told)  # type: ignore[arg-type]
    reviews.revoke(rows.engine, COACH, other, now=LATER, **told)  # type: ignore[arg-type]
    for summary_id in (one, other):
        shown = reviews.show_review(rows.engine, COACH, summary_id)
        assert shown["suppression_reason"] == "Not for now."
        assert shown["events"][-1]["feedback"] == "wrong_timing"
    (whole,) = asked(rows, "SELECT string_agg(summary_event::text, ' ') FROM summary_event")
    assert "Not for now" not in whole[0]


def test_an_act_against_the_rules_is_an_override_by_its_kind(rows: Rows) -> None:
    approved = rows.summary(confidence=Decimal("0.65"))
    usual = rows.summary(confidence=Decimal("0.70"))
    rejected = rows.summary(confidence=Decimal("0.80"))
    revoked = rows.summary(state="auto_approved")
    ACTS["approve"](rows.engine, COACH, approved)
    ACTS["approve"](rows.engine, COACH, usual)
    ACTS["suppress"](rows.engine, COACH, rejected)
    ACTS["revoke"](rows.engine, COACH, revoked)
    last = [
        reviews.show_review(rows.engine, COACH, one)["events"][-1]["override"]
        for one in (approved, usual, rejected, revoked)
    ]
    assert last == ["approved_low_confidence", None, "rejected_high_confidence", "revoked_auto"]


def test_the_list_shows_band_category_reasons_and_the_note_beside_the_text(rows: Rows) -> None:
    bands = {"0.599999": "low", "0.6": "medium", "0.799999": "medium", "0.8": "high"}
    for hour, confidence in enumerate(bands):
        rows.summary(confidence=Decimal(confidence), created_at=AT + timedelta(hours=hour))
    rows.summary(state="approved")
    listed = reviews.list_reviews(rows.engine, COACH)
    assert [row["confidence_band"] for row in listed] == list(bands.values())
    first = listed[0]
    assert (first["category"], first["decision_reasons"]) == ("normal", ["level_below_2"])
    assert (first["title"], first["description"]) == ("Left foot", "Hesitates when closed down.")
    assert not first["revocable"]
    pages = [reviews.list_reviews(rows.engine, COACH, limit=3)]
    pages.append(reviews.list_reviews(rows.engine, COACH, after=pages[0][-1]["summary_id"]))
    assert [len(page) for page in pages] == [3, 1]
    with pytest.raises(BadInput, match="no summary 'none' to start after"):
        reviews.list_reviews(rows.engine, COACH, after="none")


def test_what_went_by_itself_is_a_list_of_its_own_with_what_can_still_be_revoked(rows: Rows) -> None:
    one = rows.summary(state="auto_approved")
    rows.summary()
    (listed,) = reviews.list_reviews(rows.engine, COACH, state=SummaryState.AUTO_APPROVED)
    assert (listed["summary_id"], listed["revocable"]) == (one, True)
    assert listed["revocable_until"] == AT + timedelta(hours=1)


@pytest.mark.parametrize("before", SummaryState)
@pytest.mark.parametrize("after", SummaryState)
def test_a_direct_update_to_a_forbidden_state_fails_and_one_without_its_event_too(
    rows: Rows, before: SummaryState, after: SummaryState
) -> None:
    one = rows.summary(state=before, rehearsal=False)
    moving = sa.update(tables.Summary).where(sa.column("id") == one).values(state=after)
    if before is after:
        with rows.engine.begin() as connection:
            connection.execute(moving)
        return
    wrong = "moved without an event" if (before, after) in STATE_CHANGES else "cannot become"
    with pytest.raises(sa.exc.DBAPIError, match=wrong), rows.engine.begin() as connection:
        connection.execute(moving)
    assert state(rows, one) == before


@pytest.mark.parametrize(
    ("statement", "refused"),
    [
        ("UPDATE summary SET decision = 'approve'", "what was decided"),
        ("UPDATE summary SET category = 'private'", "what was decided"),
        ("UPDATE summary SET confidence = 0.99", "what was decided"),
        ("UPDATE summary SET rehearsal = NOT rehearsal", "what was decided"),
        ("UPDATE summary SET evidence = '{}'", "what was decided"),
        ("UPDATE summary SET player_id = 'another'", "what was decided"),
        ("UPDATE summary SET flags = '{needs_context}'", "what was decided"),
        ("UPDATE summary SET revocable_until = '2020-01-01Z'", "what was decided"),
        ("UPDATE summary SET text = 'Other words.' WHERE state <> 'pending_review'", "cannot change"),
        ("UPDATE summary_event SET actor = 'somebody'", "only grows"),
        ("DELETE FROM summary_event", "only grows"),
        ("TRUNCATE summary_event", "only grows"),
    ],
)
def test_what_was_decided_and_what_has_happened_stays(rows: Rows, statement: str, refused: str) -> None:
    rows.summary(state="approved")
    with (
        pytest.raises(sa.exc.DBAPIError, match=refused),
        rows.engine.begin() as connection,
    ):
        connection.execute(sa.text(statement))


@pytest.mark.parametrize(
    "values",
    [
        AUTO | {"category": "injury"},
        AUTO | {"model_category": "injury"},
        AUTO | {"category_confidence": Decimal("0.79")},
        AUTO | {"flags": ["needs_context"]},
        {"decision": "approve", "tier": "auto_send", "revocable_until": AT},
        {"decision": "approve", "tier": "flagged", "revocable_until": AT, "state": "auto_approved"},
        {"decision": "approve", "tier": "auto_send", "state": "auto_approved"},
        {"state": "auto_approved"},
        {"state": "approved"},
        {"state": "delivered", "rehearsal": False},
    ],
)
def test_a_new_summary_begins_as_it_was_decided_and_only_a_normal_one_by_itself(
    rows: Rows, values: dict[str, Any]
) -> None:
    one = rows.summary()
    with rows.engine.connect() as connection:
        query = sa.text("SELECT * FROM summary WHERE id = :id")
        found = dict(connection.execute(query, {"id": one}).mappings().one())
    insert_with_event(rows, found | {"id": "copy", "prompt_version": "v2"})  # it would do
    with pytest.raises(sa.exc.DBAPIError):
        insert_with_event(rows, found | {"id": "wrong", "prompt_version": "v3"} | values)
    with pytest.raises(sa.exc.DBAPIError, match="without an event"):
        rows.insert(tables.Summary, found | {"id": "bare", "prompt_version": "v4"})
    assert asked(rows, "SELECT count(*) FROM summary") == [(2,)]


def insert_with_event(rows: Rows, summary: dict[str, Any]) -> None:
    event = {"summary_id": summary["id"], "at": AT, "actor": "test", "event": "created", "ticks": []}
    with rows.engine.begin() as connection:
        connection.execute(sa.insert(tables.Summary), summary)
        connection.execute(sa.insert(tables.SummaryEventRow), event | {"to_state": summary["state"]})


def test_a_rehearsal_is_never_with_a_parent_whoever_says_so(rows: Rows) -> None:
    one = rows.summary(state="approved")
    with pytest.raises(sa.exc.DBAPIError, match="rehearsal_stays"):
        rows.event(one, "deliver", "approved", "delivered")


def test_what_was_approved_by_rule_is_not_delivered_within_its_window_whoever_says_so(rows: Rows) -> None:
    one = rows.summary(state="auto_approved", rehearsal=False)
    with pytest.raises(sa.exc.DBAPIError, match="can still be revoked"):
        rows.event(one, "deliver", "auto_approved", "delivered", at=AT + timedelta(minutes=59))
    rows.event(one, "deliver", "auto_approved", "delivered", at=AT + timedelta(minutes=60))


def test_the_ways_of_these_tests_are_those_of_the_table() -> None:
    for way in WAYS.values():
        states = ["pending_review", *(after for _, after in way)]
        assert set(pairwise(states)) <= {tuple(map(str, one)) for one in STATE_CHANGES}
