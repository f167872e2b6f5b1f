"""On the way to a guardian: when a summary may go out, who can read it, and what a reader never gets."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
import sqlalchemy as sa

from core.states import SummaryState
from core.transitions import ForbiddenMove, NotDeliverable, NotTheirs
from database.engine import connect
from models import tables
from tasks import reviews
from tasks.config import set_setting
from tasks.delivery import acknowledge, deliver, read_delivered, view
from tasks.moves import Moved
from tests.integration.stored_rows import AT, Rows

WINDOW_ENDS = AT + timedelta(hours=1)
GUARDIANS = {
    "parent": {"status": "active", "consented": True},
    "invited": {"status": "pending", "consented": True},
    "declined": {"status": "declined", "consented": True},
    "silent": {"status": "active", "consented": False},
}


@pytest.fixture
def rows(database_url: str) -> Iterator[Rows]:
    engine = connect(database_url)
    made = Rows(engine)
    for club in ("club", "other"):
        made.club(club)
    for guardian_id, consent in GUARDIANS.items():
        made.insert(tables.Guardian, {"id": guardian_id, "player_id": "player-club", **consent})
    made.insert(
        tables.Guardian,
        {"id": "stranger", "player_id": "player-other", "status": "active", "consented": True},
    )
    yield made
    engine.dispose()


def switch(rows: Rows, value: str, organization_id: str | None = None) -> None:
    set_setting(rows.engine, "notification", value, organization_id, changed_by="test", now=AT)


def history(rows: Rows, summary_id: str) -> list[str]:
    query = sa.text("SELECT event FROM summary_event WHERE summary_id = :id ORDER BY id")
    with rows.engine.connect() as connection:
        return list(connection.execute(query, {"id": summary_id}).scalars())


def test_what_its_coach_approved_goes_out_at_once(rows: Rows) -> None:
    one = rows.summary(state="approved", rehearsal=False)
    assert deliver(rows.engine, one, now=AT).to_json() == {
        "summary_id": one,
        "from": "approved",
        "to": "delivered",
    }
    assert history(rows, one) == ["created", "approve", "deliver"]


def test_what_was_approved_by_rule_waits_for_the_end_of_its_window(rows: Rows) -> None:
    one = rows.summary(state="auto_approved", rehearsal=False)
    with pytest.raises(NotDeliverable, match="can still be revoked"):
        deliver(rows.engine, one, now=WINDOW_ENDS - timedelta(seconds=1))
    assert deliver(rows.engine, one, now=WINDOW_ENDS).to_state == "delivered"
    with pytest.raises(ForbiddenMove, match="is delivered cannot become suppressed"):
        reviews.revoke(rows.engine, "coach-club", one, now=WINDOW_ENDS)


def test_what_was_revoked_never_goes_out(rows: Rows) -> None:
    one = rows.summary(state="auto_approved", rehearsal=False)
    reviews.revoke(rows.engine, "coach-club", one, now=WINDOW_ENDS + timedelta(days=1))
    with pytest.raises(ForbiddenMove, match="is suppressed cannot become delivered"):
        deliver(rows.engine, one, now=WINDOW_ENDS + timedelta(days=2))


@pytest.mark.parametrize("state", ["approved", "auto_approved"])
def test_a_rehearsal_is_never_delivered(rows: Rows, state: str) -> None:
    one = rows.summary(state=state, rehearsal=True)
    with pytest.raises(NotDeliverable, match="rehearsal"):
        deliver(rows.engine, one, now=WINDOW_ENDS)


@pytest.mark.parametrize("organization_id", [None, "club"])
def test_nothing_is_delivered_where_notification_is_switched_off(
    rows: Rows, organization_id: str | None
) -> None:
    one = rows.summary(state="approved", rehearsal=False)
    others = rows.summary("other", state="approved", rehearsal=False)
    switch(rows, "off", organization_id)
    with pytest.raises(NotDeliverable, match="switched off"):
        deliver(rows.engine, one, now=AT)
    if organization_id is None:
        switch(rows, "on", "club")  # of no use while the platform's is off
        with pytest.raises(NotDeliverable, match="switched off"):
            deliver(rows.engine, one, now=AT)
    else:
        assert deliver(rows.engine, others, now=AT).to_state == "delivered"
    switch(rows, "on", organization_id)
    assert deliver(rows.engine, one, now=AT).to_state == "delivered"


def test_what_was_approved_by_rule_waits_while_automatic_approval_is_switched_off(rows: Rows) -> None:
    one = rows.summary(state="auto_approved", rehearsal=False)
    by_coach = rows.summary(state="approved", rehearsal=False)
    set_setting(rows.engine, "automatic_approval", "off", changed_by="test", now=AT)
    with pytest.raises(NotDeliverable, match="Automatic approval is switched off"):
        deliver(rows.engine, one, now=WINDOW_ENDS)
    assert deliver(rows.engine, by_coach, now=WINDOW_ENDS).to_state == "delivered"
    set_setting(rows.engine, "automatic_approval", "on", changed_by="test", now=AT)
    assert deliver(rows.engine, one, now=WINDOW_ENDS).to_state == "delivered"


def test_a_guardian_reads_and_acknowledges_and_once_more_is_nothing_new(rows: Rows) -> None:
    one = rows.summary(state="delivered")
    for _ in range(2):
        assert view(rows.engine, one, "parent", now=AT).to_state == "viewed"
    for minutes in (1, 2):
        acknowledge(rows.engine, one, "parent", now=AT + timedelta(minutes=minutes))
    assert history(rows, one) == ["created", "approve", "deliver", "view", "acknowledge"]
    (read,) = read_delivered(rows.engine, "parent")
    assert read["acknowledged_at"] == AT + timedelta(minutes=1)


@pytest.mark.parametrize("act", [view, acknowledge])
@pytest.mark.parametrize("guardian_id", ["invited", "declined", "silent", "stranger", "nobody", ""])
def test_only_an_active_consenting_guardian_of_the_player_can(
    rows: Rows, guardian_id: str, act: Callable[..., Moved]
) -> None:
    one = rows.summary(state="delivered")
    with pytest.raises(NotTheirs):
        act(rows.engine, one, guardian_id, now=AT)
    assert history(rows, one) == ["created", "approve", "deliver"]
    assert read_delivered(rows.engine, guardian_id) == []


@pytest.mark.parametrize("state", SummaryState)
def test_reading_makes_nothing_visible_that_was_not_delivered(rows: Rows, state: SummaryState) -> None:
    one = rows.summary(state=state)
    visible = state in {SummaryState.DELIVERED, SummaryState.VIEWED}
    if not visible:
        for act in (view, acknowledge):
            with pytest.raises(ForbiddenMove, match=rf"is {state} cannot become"):
                act(rows.engine, one, "parent", now=AT)
    assert [row["summary_id"] for row in read_delivered(rows.engine, "parent")] == [one] * visible


def test_what_a_guardian_reads_has_no_private_column(rows: Rows) -> None:
    rows.summary(state="delivered", text="For the parents.", reason="private words of the model")
    (read,) = read_delivered(rows.engine, "parent")
    assert set(read) == {"summary_id", "player_id", "text", "acknowledged_at", "delivered_at"}
    assert "Hesitates" not in str(read)
    assert "private" not in str(read)
