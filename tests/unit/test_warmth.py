"""Leaders and followers: one call writes a cold prefix, the others wait until its answer has begun."""

import asyncio
from datetime import UTC, datetime, timedelta

from tasks.warmth import CACHE_LIFETIME, SAFETY, Lead, Warmth

START = datetime(2026, 11, 22, 20, tzinfo=UTC)


class StandingClock:
    """A clock that moves only when it is told to."""

    def __init__(self) -> None:
        self.time = START

    def now(self) -> datetime:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


async def settle() -> None:
    """Let every task run until it waits."""
    for _ in range(20):
        await asyncio.sleep(0)


def test_followers_wait_until_the_leaders_answer_begins() -> None:
    async def story() -> None:
        clock, warmth = StandingClock(), Warmth()
        leader, follower = Lead(warmth, ["a", "ab"]), Lead(warmth, ["a", "ab"])
        await leader.take(clock)
        assert leader.leading
        waiting = asyncio.create_task(follower.take(clock))
        await settle()
        assert not waiting.done()
        leader.begun(clock.now())
        await waiting
        assert not follower.leading

    asyncio.run(story())


def test_when_a_leader_gives_up_the_next_in_line_leads() -> None:
    async def story() -> None:
        clock, warmth = StandingClock(), Warmth()
        first, second, third = (Lead(warmth, ["a"]) for _ in range(3))
        await first.take(clock)
        tasks = [asyncio.create_task(lead.take(clock)) for lead in (second, third)]
        await settle()
        first.give_up()
        await settle()
        assert second.leading
        assert not tasks[1].done()
        second.begun(clock.now())
        await asyncio.gather(*tasks)
        assert not third.leading

    asyncio.run(story())


def test_calls_of_different_branches_wait_only_for_what_they_share() -> None:
    async def story() -> None:
        clock, warmth = StandingClock(), Warmth()
        root = Lead(warmth, ["r"])
        await root.take(clock)
        root.begun(clock.now())
        left, right = Lead(warmth, ["r", "r/left"]), Lead(warmth, ["r", "r/right"])
        await left.take(clock)
        await right.take(clock)
        assert left.leading
        assert right.leading

    asyncio.run(story())


def test_a_prefix_goes_cold_when_it_is_not_used_for_its_lifetime() -> None:
    async def story() -> None:
        clock, warmth = StandingClock(), Warmth()
        warmth.used(["a"], START)
        clock.time = START + CACHE_LIFETIME - SAFETY
        lead = Lead(warmth, ["a"])
        await lead.take(clock)
        assert lead.leading
        lead.give_up()
        warmth.used(["a"], START + timedelta(seconds=200))
        again = Lead(warmth, ["a"])
        await again.take(clock)
        assert not again.leading

    asyncio.run(story())


def test_an_older_use_never_shortens_a_lifetime() -> None:
    warmth = Warmth()
    warmth.used(["a"], START)
    warmth.used(["a"], START - timedelta(seconds=100))
    assert warmth.is_warm("a", START + CACHE_LIFETIME - SAFETY - timedelta(seconds=1))
    assert warmth.warm(START) == {"a"}


def test_a_crowd_on_a_tree_makes_one_leader_for_each_prefix() -> None:
    async def story() -> None:
        clock, warmth = StandingClock(), Warmth()
        led: list[str] = []

        async def call(*prefixes: str) -> None:
            lead = Lead(warmth, prefixes)
            await lead.take(clock)
            if lead.leading:
                led.append(prefixes[-1])
                await settle()
            lead.begun(clock.now())

        await asyncio.gather(*(call("r", f"r/{n % 3}", f"r/{n % 3}/{n % 6}") for n in range(60)))
        assert len(led) == 6
        assert len(set(led)) == 6

    asyncio.run(story())


def test_a_call_whose_longest_prefix_is_warm_leads_nothing_and_keeps_only_that_one_warm() -> None:
    async def story() -> None:
        clock, warmth = StandingClock(), Warmth()
        first = Lead(warmth, ["r", "r/a"])
        await first.take(clock)
        first.begun(clock.now())
        for minutes in (4, 8, 12):
            clock.time = START + timedelta(minutes=minutes)
            lead = Lead(warmth, ["r", "r/a"])
            await lead.take(clock)
            assert not lead.leading
            lead.begun(clock.now())
        assert warmth.warm(clock.now()) == {"r/a"}
        other = Lead(warmth, ["r", "r/b"])
        await other.take(clock)
        assert other.leading
        other.begun(clock.now())
        assert warmth.warm(clock.now()) == {"r", "r/a", "r/b"}

    asyncio.run(story())


def test_whoever_waits_for_a_short_prefix_does_not_lead_it_once_a_longer_one_is_warm() -> None:
    async def story() -> None:
        clock, warmth = StandingClock(), Warmth()
        leader, follower = Lead(warmth, ["r", "r/a"]), Lead(warmth, ["r", "r/a"])
        await leader.take(clock)
        waiting = asyncio.create_task(follower.take(clock))
        await settle()
        leader.begun(clock.now())
        await waiting
        assert not follower.leading

    asyncio.run(story())
