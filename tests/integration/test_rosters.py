"""Rosters of a run: whoever joins a club while the run waits is known a few minutes later."""

import asyncio
from datetime import datetime, timedelta

from core.roster import Child, Roster
from core.screening import Finding, screen_note
from database.engine import connect, connect_async
from tasks.rosters import Rosters
from tasks.transactions import Transactions
from tests.integration.stored_rows import AT, Rows


class Standing:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.moment = AT

    def now(self) -> datetime:
        return self.moment

    async def sleep(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


def names_brannagh(roster: Roster) -> bool:
    screened = screen_note("Drill", "worked with thimblewick after", Child("Aoife", None), roster)
    return Finding.OTHER_PERSON in screened.findings


def test_who_joins_a_club_is_known_after_five_minutes_and_in_that_club_only(database_url: str) -> None:
    engine = connect(database_url)
    rows, clock = Rows(engine), Standing()
    rows.club()
    rows.club("other")

    async def look() -> list[bool]:
        asynchronous = connect_async(database_url)
        transactions = Transactions(asynchronous, clock, lambda: None)
        rosters, seen = Rosters(transactions, clock), []
        try:
            seen.append(names_brannagh(await rosters.of_one("club")))
            rows.coach("joined", "club", name="Brannagh Thimblewick")
            rows.coach("elsewhere", "other", name="Somebody Else")
            clock.moment += timedelta(minutes=4)
            seen.append(names_brannagh(await rosters.of_one("club")))
            clock.moment += timedelta(minutes=2)
            seen.append(names_brannagh(await rosters.of_one("club")))
            seen.append(names_brannagh(rosters.kept("club")))
            seen.append(names_brannagh(await rosters.of_one("other")))
        finally:
            await asynchronous.dispose()
        return seen

    assert asyncio.run(look()) == [False, False, True, True, False]
    engine.dispose()
