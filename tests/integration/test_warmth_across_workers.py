"""Leaders and followers in several processes: what they share is one row for each prefix."""

import asyncio
from datetime import timedelta

from core.pricing import CacheTtl
from tasks.warmth import LEADER_LEASE, REMEMBERED, Lead, Warmth
from tests.integration.workers import ACCOUNT, START, MovingClock, Workers, path, still_waits, tell, warm


async def written(warmth: Warmth, *keys: str, ttl: CacheTtl = "5m") -> None:
    """Lead these prefixes, and be answered now."""
    lead = Lead(warmth, path(*keys, ttl=ttl))
    await lead.take()
    assert lead.leading
    await lead.begun(warmth._clock.now())


def test_of_two_workers_one_leads_and_the_other_follows_when_its_answer_begins(database_url: str) -> None:
    async def story(workers: Workers) -> None:
        mine, theirs = (Lead(workers.warmth(name), path("r", "r/a")) for name in ("mine", "theirs"))
        await mine.take()
        waiting = asyncio.create_task(theirs.take())
        assert await still_waits(waiting)
        assert workers.clock.slept > 0, "it looks again and again"
        await mine.begun(START)
        await waiting
        assert (mine.leading, theirs.leading) == (False, False)
        assert theirs.is_ready()

    tell(database_url, story)


def test_a_leader_that_dies_is_replaced_when_its_lease_ends(database_url: str) -> None:
    async def story(workers: Workers) -> None:
        dead, next_one = (Lead(workers.warmth(name), path("r")) for name in ("dead", "next"))
        await dead.take()
        waiting = asyncio.create_task(next_one.take())
        workers.clock.time = START + LEADER_LEASE - timedelta(seconds=1)
        assert await still_waits(waiting)
        workers.clock.move(seconds=1)
        await waiting
        assert next_one.leading

    tell(database_url, story)


def test_a_leader_that_has_waited_past_its_lease_queues_again_when_another_has_taken_over(
    database_url: str,
) -> None:
    async def story(workers: Workers) -> None:
        slow, quick = (Lead(workers.warmth(name), path("r")) for name in ("slow", "quick"))
        await slow.take()
        workers.clock.move(seconds=20)
        assert await slow.still_leads(), "its lease is renewed"
        workers.clock.time += LEADER_LEASE
        await quick.take()
        assert quick.leading
        assert not await slow.still_leads()
        assert not slow.leading
        await quick.begun(workers.clock.now())
        await slow.take()
        assert not slow.leading, "it is warm now"

    tell(database_url, story)


def test_when_a_leader_gives_up_another_worker_leads_at_once(database_url: str) -> None:
    async def story(workers: Workers) -> None:
        mine, theirs = (Lead(workers.warmth(name), path("r", "r/a")) for name in ("mine", "theirs"))
        await mine.take()
        waiting = asyncio.create_task(theirs.take())
        assert await still_waits(waiting)
        await mine.give_up()
        await waiting
        assert theirs.leading

    tell(database_url, story)


def test_of_many_workers_at_once_one_leads_each_prefix_of_a_tree(database_url: str) -> None:
    async def story(workers: Workers) -> None:
        led: list[str] = []

        async def call(warmth: Warmth, *keys: str) -> None:
            lead = Lead(warmth, path(*keys))
            await lead.take()
            if lead.leading:
                led.append(keys[-1])
                await asyncio.sleep(0.005)
            await lead.begun(START)

        each = [workers.warmth(f"worker {n}") for n in range(6)]
        calls = [call(one, "r", f"r/{n % 3}", f"r/{n % 3}/{n % 6}") for one in each for n in range(6)]
        await asyncio.gather(*calls)
        assert len(led) == len(set(led)) == 6

    tell(database_url, story)


def test_a_prefix_that_has_gone_cold_gets_one_leader_again(database_url: str) -> None:
    async def story(workers: Workers) -> None:
        mine, theirs = workers.warmth("mine"), workers.warmth("theirs")
        await written(mine, "r")
        workers.clock.move(minutes=6)
        again, follower = Lead(theirs, path("r")), Lead(mine, path("r"))
        await again.take()
        assert again.leading
        waiting = asyncio.create_task(follower.take())
        assert await still_waits(waiting)
        await again.begun(workers.clock.now())
        await waiting
        assert not follower.leading

    tell(database_url, story)


def test_uses_by_one_worker_keep_a_prefix_warm_for_the_others(database_url: str) -> None:
    async def story(workers: Workers) -> None:
        mine, theirs = workers.warmth("mine"), workers.warmth("theirs")
        await written(mine, "r")
        for _ in range(3):
            workers.clock.move(minutes=4)
            await mine.used(path("r"), workers.clock.now(), led=False)
        lead = Lead(theirs, path("r"))
        await lead.take()
        assert not lead.leading

    tell(database_url, story)


def test_a_worker_that_knows_nothing_leads_no_short_prefix_inside_a_longer_one_that_is_warm(
    database_url: str,
) -> None:
    async def story(workers: Workers) -> None:
        mine, theirs = workers.warmth("mine"), workers.warmth("theirs")
        await written(mine, "r", "r/a")
        for _ in range(2):
            workers.clock.move(minutes=4)
            await mine.used(path("r", "r/a")[1:], workers.clock.now(), led=False)
        assert warm(mine, "r", "r/a") == {"r/a"}
        lead = Lead(theirs, path("r", "r/a"))
        await lead.take()
        assert not lead.leading, "its request would read `r/a`, and write nothing"
        await lead.begun(workers.clock.now())
        assert not theirs.is_warm("r")

    tell(database_url, story)


def test_an_entry_keeps_its_hour_when_others_read_it_for_five_minutes(database_url: str) -> None:
    async def story(workers: Workers) -> None:
        mine, theirs = workers.warmth("mine"), workers.warmth("theirs")
        await written(mine, "r", ttl="1h")
        workers.clock.move(minutes=50)
        lead = Lead(theirs, path("r"))
        await lead.take()
        assert not lead.leading
        await lead.begun(workers.clock.now())
        workers.clock.move(minutes=50)
        assert theirs.is_warm("r")
        assert await workers.warmth("third").look(["r"]) == {"r": "1h"}

    tell(database_url, story)


def test_an_entry_that_is_written_anew_has_its_new_lifetime(database_url: str) -> None:
    async def story(workers: Workers) -> None:
        mine = workers.warmth("mine")
        await written(mine, "r", ttl="1h")
        workers.clock.move(minutes=61)
        await written(workers.warmth("theirs"), "r", ttl="5m")
        assert await workers.warmth("third").look(["r"]) == {"r": "5m"}
        workers.clock.move(minutes=5)
        assert await mine.look(["r"]) == {}

    tell(database_url, story)


def test_another_account_knows_nothing_of_it(database_url: str) -> None:
    async def story(workers: Workers) -> None:
        await written(workers.warmth("mine"), "r")
        other = Warmth(workers.transactions(), account="other", holder="other", clock=workers.clock)
        assert await other.look(["r"]) == {}
        await written(other, "r")

    tell(database_url, story)


def test_what_has_long_gone_cold_is_forgotten_and_nothing_else(database_url: str) -> None:
    async def story(workers: Workers) -> None:
        warmth = workers.warmth()
        await written(warmth, "old")
        workers.clock.move(minutes=3)
        await written(warmth, "new")
        leading = Lead(warmth, path("led"))
        await leading.take()
        workers.clock.time = START + REMEMBERED + timedelta(minutes=6)
        await warmth.forget_cold()
        kept = await workers.rows("SELECT account, key FROM cache_prefix ORDER BY key")
        assert kept == [(ACCOUNT, "new")], "a leader without an answer is long dead, too"

    tell(database_url, story)


def test_a_leader_that_is_still_led_is_not_forgotten(database_url: str) -> None:
    async def story(workers: Workers) -> None:
        warmth = workers.warmth()
        await written(warmth, "r")
        workers.clock.move(hours=3)
        again = Lead(warmth, path("r"))
        await again.take()
        await workers.warmth("other").forget_cold()
        assert await workers.rows("SELECT key, leader FROM cache_prefix") == [("r", "worker")]

    tell(database_url, story)


def test_waiting_followers_see_time_pass_and_take_over_by_themselves(database_url: str) -> None:
    async def story(workers: Workers) -> None:
        dead, next_one = (Lead(workers.warmth(name), path("r")) for name in ("dead", "next"))
        await dead.take()
        await next_one.take()
        assert next_one.leading
        assert START + LEADER_LEASE <= workers.clock.now() < START + LEADER_LEASE + timedelta(seconds=1)

    tell(database_url, story, MovingClock())
