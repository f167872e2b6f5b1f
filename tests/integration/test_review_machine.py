"""Random events by random actors: whatever comes in whatever order, what must be true stays true."""

from contextlib import ExitStack, suppress
from datetime import timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy.engine import make_url

from core.errors import BadInput
from core.states import InjuryTick, SummaryState
from core.transitions import STATE_CHANGES
from database import migrate
from database.engine import connect
from models import tables
from tasks import delivery, reviews
from tasks.trust import show_trust
from tests.conftest import fresh_database
from tests.integration.stored_rows import AT, Rows

COACHES = ("coach-club", "second", "third")
PEOPLE = st.sampled_from([*COACHES, "auth-third", "nobody", ""])
GUARDIANS = st.sampled_from(["parent", "silent", "stranger", "nobody"])
MINUTES = st.integers(0, 90)
SOME = st.integers(0, 9)


class Reviewing(RuleBasedStateMachine):
    """Ten summaries of three coaches; each act is tried by anybody, at any time, and may be refused."""

    server: str  # set by a subclass, with the template: each example has a database of its own
    template: str

    def __init__(self) -> None:
        super().__init__()
        self.database = ExitStack()
        self.engine = connect(self.database.enter_context(fresh_database(self.server, self.template)))
        self.database.callback(self.engine.dispose)
        self.rows = Rows(self.engine)
        self.rows.club()
        self.rows.coach("second", "club")
        third = {"id": "third", "auth_id": "auth-third", "user_id": "third", "organization_id": "club"}
        self.rows.insert(tables.Coach, third | {"name": "A Coach"})
        for guardian_id, consented in (("parent", True), ("silent", False)):
            link = {"id": guardian_id, "player_id": "player-club", "status": "active"}
            self.rows.insert(tables.Guardian, link | {"consented": consented})
        self.now = AT
        self.seen: dict[str, list[str]] = {}
        self.summaries = [self._summary(number) for number in range(10)]

    def teardown(self) -> None:
        self.database.close()

    def _summary(self, number: int) -> str:
        by_rule = number % 3 == 0
        return self.rows.summary(
            state="auto_approved" if by_rule else "pending_review",
            category="injury" if number in {1, 5} else "normal",
            confidence=Decimal("0.55") + Decimal("0.05") * number,
            coach_id=COACHES[number % 3],
            rehearsal=number == 9,
            text="The model's own words.",
        )

    @rule(person=PEOPLE, one=SOME, ticked=st.sets(st.sampled_from(InjuryTick)), minutes=MINUTES)
    def approve(self, person: str, one: int, ticked: set[InjuryTick], minutes: int) -> None:
        self._later(minutes)
        with suppress(BadInput):
            reviews.approve(self.engine, person, self.summaries[one], ticks=ticked, now=self.now)

    @rule(person=PEOPLE, one=SOME, text=st.sampled_from(["Other words.", "", "a\0b"]))
    def edit(self, person: str, one: int, text: str) -> None:
        with suppress(BadInput):
            reviews.edit(self.engine, person, self.summaries[one], text, now=self.now)

    @rule(person=PEOPLE, one=SOME, minutes=MINUTES, revoking=st.booleans())
    def keep_back(self, person: str, one: int, minutes: int, revoking: bool) -> None:
        self._later(minutes)
        act = reviews.revoke if revoking else reviews.suppress
        with suppress(BadInput):
            act(self.engine, person, self.summaries[one], now=self.now)

    @rule(one=SOME, minutes=MINUTES)
    def deliver(self, one: int, minutes: int) -> None:
        self._later(minutes)
        with suppress(BadInput):
            delivery.deliver(self.engine, self.summaries[one], now=self.now)

    @rule(one=SOME, guardian=GUARDIANS, acknowledging=st.booleans())
    def read(self, one: int, guardian: str, acknowledging: bool) -> None:
        act = delivery.acknowledge if acknowledging else delivery.view
        with suppress(BadInput):
            act(self.engine, self.summaries[one], guardian, now=self.now)

    @invariant()
    def events_tell_the_state_and_every_step_is_in_the_table(self) -> None:
        known = {tuple(map(str, pair)) for pair in STATE_CHANGES}
        states = dict(self._all("SELECT id, state FROM summary"))
        latest: dict[str, str] = {}
        for summary_id, before, after in self._all(
            "SELECT summary_id, from_state, to_state FROM summary_event ORDER BY id"
        ):
            assert latest.get(summary_id) == before
            assert before in {None, after} or (before, after) in known
            latest[summary_id] = after
        assert latest == states

    @invariant()
    def trust_counts_equal_a_recount_of_the_events(self) -> None:
        counted = {
            coach_id: (approvals, suppressions)
            for coach_id, approvals, suppressions in self._all(
                "SELECT coach_id, count(*) FILTER (WHERE event = 'approve'),"
                " count(*) FILTER (WHERE event IN ('suppress', 'revoke'))"
                " FROM summary_event JOIN summary ON summary.id = summary_id GROUP BY coach_id"
            )
        }
        for coach_id in COACHES:
            standing = show_trust(self.engine, coach_id)
            assert (standing["approvals"], standing["suppressions"]) == counted.get(coach_id, (0, 0))

    @invariant()
    def nothing_is_with_a_parent_that_must_not_be(self) -> None:
        gone_out = self._all(
            "SELECT summary.id, rehearsal, decision, revocable_until, text, original_text, summary_event.at"
            " FROM summary JOIN summary_event ON summary_id = summary.id AND event = 'deliver'"
            " WHERE state IN ('delivered', 'viewed')"
        )
        for summary_id, rehearsal, decision, until, text, original, at in gone_out:
            assert not rehearsal
            acts = [act for (act,) in self._all_of(summary_id)]
            assert acts.count("approve") == (decision == "review")
            assert decision == "review" or at >= until
            assert not {"suppress", "revoke"} & set(acts)
            assert text in {"The model's own words.", "Other words."}
            assert (original is None) == ("edit" not in acts)
        readable = {row["summary_id"] for row in delivery.read_delivered(self.engine, "parent")}
        assert readable == {row[0] for row in gone_out}

    @invariant()
    def no_injury_went_out_without_all_three_ticks(self) -> None:
        ticked = self._all(
            "SELECT ticks FROM summary_event JOIN summary ON summary.id = summary_id"
            " WHERE event = 'approve' AND category = 'injury'"
        )
        assert all(ticks == [*InjuryTick] for (ticks,) in ticked)

    @invariant()
    def only_the_owning_coach_has_decided(self) -> None:
        wrong = self._all(
            "SELECT 1 FROM summary_event JOIN summary ON summary.id = summary_id"
            " WHERE event IN ('approve', 'edit', 'suppress', 'revoke') AND actor <> coach_id"
        )
        assert wrong == []

    @invariant()
    def what_ended_stays(self) -> None:
        ended = {SummaryState.SUPPRESSED, SummaryState.VIEWED}
        for summary_id, state in self._all("SELECT id, state FROM summary"):
            before = self.seen.setdefault(summary_id, [state])[-1]
            assert before == state or before not in ended
            self.seen[summary_id].append(state)

    def _later(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    def _all(self, query: str, **values: Any) -> list[tuple[Any, ...]]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(sa.text(query), values)]

    def _all_of(self, summary_id: str) -> list[tuple[Any, ...]]:
        return self._all("SELECT event FROM summary_event WHERE summary_id = :id ORDER BY id", id=summary_id)


def test_whatever_happens_in_whatever_order_the_promises_about_summaries_hold(embedded_server: str) -> None:
    with fresh_database(embedded_server) as url:
        migrate.upgrade(url)
        where = {"server": embedded_server, "template": make_url(url).database}
        _run(type("ReviewingHere", (Reviewing,), where))


def _run(machine: type[Reviewing]) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=8,
            stateful_step_count=20,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
