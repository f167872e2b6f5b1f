"""Leaders and followers in one process: one call writes a cold prefix, the others wait for its answer."""

import asyncio
from datetime import timedelta

from core.states import Lane
from tasks.warmth import SAFETY, Lead, warmth_in
from tests.integration.workers import ACCOUNT, START, Workers, path, still_waits, tell, warm

LIFETIME = timedelta(minutes=5)


def test_followers_wait_until_the_leaders_answer_begins(database_url: str) -> None:
    async def story(workers: Workers) -> None:
        warmth = workers.warmth()
        leader, follower = (Lead(warmth, path("a", "ab")) for _ in range(2))
        await leader.take()
        assert leader.leading
        waiting = asyncio.create_task(follower.take())
        assert await still_waits(waiting)
        await leader.begun(START)
        await waiting
        assert not follower.leading
        assert follower.is_ready()

    tell(database_url, story)


def test_when_a_leader_gives_up_the_next_in_line_leads(database_url: str) -> None:
    async def story(workers: Workers) -> None:
        warmth = workers.warmth()
        first, second, third = (Lead(warmth, path("a")) for _ in range(3))
        await first.take()
        tasks = [asyncio.create_task(lead.take()) for lead in (second, third)]
        assert await still_waits(tasks[0])
        await first.give_up()
        await tasks[0]
        assert second.leading
        assert await still_waits(tasks[1])
        await second.begun(START)
        await tasks[1]
        assert not third.leading

    tell(database_url, story)


def test_a_leader_that_asks_again_goes_on_leading(database_url: str) -> None:
    async def story(workers: Workers) -> None:
        warmth = workers.warmth()
        leader, follower = (Lead(warmth, path("a", "ab")) for _ in range(2))
        await leader.take()
        waiting = asyncio.create_task(follower.take())
        await leader.take()
        assert leader.leading
        assert await still_waits(waiting)
        await leader.begun(START)
        await waiting

    tell(database_url, story)


def test_calls_of_different_branches_wait_only_for_what_they_share(database_url: str) -> None:
    async def story(workers: Workers) -> None:
        warmth = workers.warmth()
        root = Lead(warmth, path("r"))
        await root.take()
        await root.begun(START)
        left, right = Lead(warmth, path("r", "r/left")), Lead(warmth, path("r", "r/right"))
        await left.take()
        await right.take()
        assert left.leading
        assert right.leading

    tell(database_url, story)


def test_a_prefix_goes_cold_when_it_is_not_used_for_its_lifetime(database_url: str) -> None:
    async def story(workers: Workers) -> None:
        warmth = workers.warmth()
        first = Lead(warmth, path("a"))
        await first.take()
        await first.begun(START)
        workers.clock.time = START + LIFETIME - SAFETY - timedelta(seconds=1)
        assert warmth.is_warm("a")
        workers.clock.move(seconds=1)
        again = Lead(warmth, path("a"))
        assert not again.is_ready(), "whoever has waited for a slot meanwhile must not go"
        await again.take()
        assert again.leading

    tell(database_url, story)


def test_an_older_use_never_shortens_a_lifetime(database_url: str) -> None:
    async def story(workers: Workers) -> None:
        warmth, other = workers.warmth(), workers.warmth("other")
        lead = Lead(warmth, path("a"))
        await lead.take()
        await lead.begun(START)
        await warmth.used(path("a"), START - timedelta(seconds=100), led=True)
        workers.clock.time = START + LIFETIME - SAFETY - timedelta(seconds=1)
        assert warm(warmth, "a") == {"a"}
        assert await other.look(["a"]) == {"a": "5m"}, "nor for other workers"

    tell(database_url, story)


def test_a_crowd_on_a_tree_makes_one_leader_for_each_prefix(database_url: str) -> None:
    async def story(workers: Workers) -> None:
        warmth = workers.warmth()
        led: list[str] = []

        async def call(*keys: str) -> None:
            lead = Lead(warmth, path(*keys))
            await lead.take()
            if lead.leading:
                led.append(keys[-1])
                await asyncio.sleep(0.01)
            await lead.begun(START)

        await asyncio.gather(*(call("r", f"r/{n % 3}", f"r/{n % 3}/{n % 6}") for n in range(60)))
        assert len(led) == len(set(led)) == 6

    tell(database_url, story)


def test_a_call_whose_longest_prefix_is_warm_leads_nothing_and_keeps_only_that_one_warm(
    database_url: str,
) -> None:
    async def story(workers: Workers) -> None:
        clock, warmth = workers.clock, workers.warmth()
        first = Lead(warmth, path("r", "r/a"))
        await first.take()
        await first.begun(START)
        for _ in range(3):
            clock.move(minutes=4)
            lead = Lead(warmth, path("r", "r/a"))
            await lead.take()
            assert not lead.leading
            await lead.begun(clock.now())
        assert warm(warmth, "r", "r/a", "r/b") == {"r/a"}
        other = Lead(warmth, path("r", "r/b"))
        await other.take()
        assert other.leading
        await other.begun(clock.now())
        assert warm(warmth, "r", "r/a", "r/b") == {"r", "r/a", "r/b"}

    tell(database_url, story)


def test_whoever_waits_for_a_short_prefix_does_not_lead_it_once_a_longer_one_is_warm(
    database_url: str,
) -> None:
    async def story(workers: Workers) -> None:
        warmth = workers.warmth()
        await warmth.used(path("r/a"), START, led=True)
        follower = Lead(warmth, path("r", "r/a"))
        await follower.take()
        assert not follower.leading

    tell(database_url, story)


def test_while_everything_is_warm_the_database_is_hardly_asked(database_url: str) -> None:
    async def story(workers: Workers) -> None:
        warmth = workers.warmth()
        first = Lead(warmth, path("r", "r/a"))
        await first.take()
        await first.begun(START)
        before = workers.statements
        for _ in range(100):
            workers.clock.move(seconds=0.5)
            lead = Lead(warmth, path("r", "r/a"))
            await lead.take()
            await lead.begun(workers.clock.now())
        assert workers.statements - before <= 2, "others are told every 30 seconds"

    tell(database_url, story)


def test_a_call_without_markers_waits_for_nobody(database_url: str) -> None:
    async def story(workers: Workers) -> None:
        before = workers.statements
        lead = Lead(workers.warmth(), [])
        await lead.take()
        assert lead.is_ready()
        assert not lead.leading
        await lead.begun(START)
        assert workers.statements == before

    tell(database_url, story)


def test_batches_and_live_calls_share_no_cache_and_what_batches_are_to_read_must_live_for_longer(
    database_url: str,
) -> None:
    async def story(workers: Workers) -> None:
        transactions, clock = workers.transactions(), workers.clock
        night, other_night, live = (
            warmth_in(lane, transactions, account=ACCOUNT, holder=lane, clock=clock)
            for lane in (Lane.OVERNIGHT, Lane.OVERNIGHT, Lane.LIVE)
        )
        (prefix,) = path("live", ttl="1h")
        assert await live.lead(prefix)
        await live.used([prefix], START, led=True)
        assert await live.look(["live"]) == {"live": "1h"}
        await night.written(["b", "a"], "1h", START)
        assert await other_night.look(["a", "b", "live"]) == {"a": "1h", "b": "1h"}
        assert await live.look(["a", "b"]) == {}
        await night.written(["b"], "1h", START + timedelta(minutes=5))
        await other_night.written(["b"], "1h", START - timedelta(minutes=5))
        for minutes, left in ((49, {"a", "b"}), (51, {"b"}), (56, set())):
            clock.time = START + timedelta(minutes=minutes)
            fresh = warmth_in(Lane.OVERNIGHT, transactions, account=ACCOUNT, holder="fresh", clock=clock)
            assert set(await fresh.look(["a", "b"])) == warm(night, "a", "b") == left
        accounts = await workers.rows("SELECT DISTINCT account FROM cache_prefix ORDER BY 1")
        assert accounts == [(ACCOUNT,), (f"{ACCOUNT}/batches",)]

    tell(database_url, story)


def test_what_a_batch_has_written_is_warm_though_somebody_leads_it(database_url: str) -> None:
    async def story(workers: Workers) -> None:
        warmth = workers.warmth()
        (prefix,) = path("a")
        assert await warmth.lead(prefix)
        await workers.warmth("other").written(["a"], "1h", START)
        assert await workers.warmth("third").look(["a"]) == {"a": "1h"}
        assert await workers.rows("SELECT leader FROM cache_prefix") == [("worker",)]

    tell(database_url, story)
