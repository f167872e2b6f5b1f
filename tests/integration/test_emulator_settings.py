"""What the command line sets: speed and latency, limits, misses, preamble."""

import asyncio
from typing import Any

import anthropic
import pytest
from anthropic.types import Message

from tests.integration.emulator_process import RunningEmulator, running_emulator
from tests.integration.emulator_requests import STABLE_TOKENS, asked, classes, marked, send


def test_concurrent_cold_calls_all_write_and_those_after_them_read() -> None:
    async def burst(emulator: RunningEmulator) -> list[Message]:
        async with emulator.async_client() as client:
            return await asyncio.gather(*[client.messages.create(**asked()) for _ in range(5)])

    with running_emulator("--speed", "10", "--tier", "unlimited") as emulator:
        cold, warm = asyncio.run(burst(emulator)), asyncio.run(burst(emulator))
    assert [classes(message.usage)[1] for message in cold] == [STABLE_TOKENS] * 5
    assert [classes(message.usage)[3] for message in warm] == [STABLE_TOKENS] * 5


def test_latency_is_measured_in_the_emulators_time_and_sleepers_follow_an_advance() -> None:
    async def race(emulator: RunningEmulator) -> Message:
        async with emulator.async_client() as client:
            call = asyncio.create_task(client.messages.create(**asked(), timeout=20))
            while not await asyncio.to_thread(emulator.calls):
                assert not call.done()
            # Billed before the answer; 1,177 ms + 500 * 4.40 ms = 3.377 s, or an hour at this speed.
            assert (await asyncio.to_thread(emulator.meter))["requests"] == 1
            await asyncio.to_thread(emulator.advance, 3.37)
            done, _ = await asyncio.wait([call], timeout=0.2)
            assert not done
            await asyncio.to_thread(emulator.advance, 0.1)
            message: Message = await call
            return message

    options = ("--speed", "0.001", "--answer-tokens", "500", "--tier", "unlimited")
    with running_emulator(*options) as emulator:
        message = asyncio.run(race(emulator))
    assert message.usage.output_tokens == 500


def test_a_client_that_leaves_has_been_billed() -> None:
    with running_emulator("--speed", "0.001", "--tier", "unlimited") as emulator:
        with pytest.raises(anthropic.APITimeoutError):
            emulator.client().messages.create(**asked(), timeout=0.3)
        assert emulator.meter()["requests"] == 1


def test_the_tier_limits_requests_and_says_so_in_headers() -> None:
    with running_emulator("--latency", "off", "--speed", "0.001") as emulator:
        client = emulator.client()
        answer = client.messages.with_raw_response.create(**asked())
        assert answer.headers["anthropic-ratelimit-requests-limit"] == "1000"
        assert answer.headers["anthropic-ratelimit-requests-remaining"] == "15"
        for _ in range(15):
            client.messages.create(**asked())
        with pytest.raises(anthropic.RateLimitError) as refused:
            client.messages.create(**asked())
        assert int(refused.value.response.headers["retry-after"]) >= 1
        assert refused.value.response.headers["anthropic-ratelimit-requests-remaining"] == "0"
        assert emulator.meter()["requests"] == 16


def test_a_share_of_misses_can_be_set_and_is_seeded() -> None:
    def reads() -> list[bool]:
        with running_emulator("--latency", "off", "--tier", "unlimited", "--miss-share", "0.3") as emulator:
            return [classes(send(emulator).usage)[3] > 0 for _ in range(40)]

    first = reads()
    assert first == reads()
    assert 5 <= first[1:].count(False) <= 20


def test_the_preamble_of_a_format_can_be_fixed_and_is_billed() -> None:
    output_format = {"format": {"type": "json_schema", "schema": {"type": "string"}}}
    with running_emulator("--latency", "off", "--preamble-tokens", "250") as emulator:
        plain = classes(send(emulator).usage)
        structured = classes(send(emulator, output_config=output_format).usage)
    assert structured == (plain[0], plain[1] + 250, 0, 0)


def test_the_same_run_gives_the_same_bill_at_any_speed() -> None:
    async def run(emulator: RunningEmulator) -> None:
        """Two prefixes, each with a leader and its followers, then once more when they have gone cold."""
        async with emulator.async_client() as client:

            async def led(letter: str) -> None:
                body = asked(system=[marked(letter * 3_000)], messages=[{"role": "user", "content": "Hello"}])
                await client.messages.create(**body)
                await asyncio.gather(*[client.messages.create(**body) for _ in range(4)])

            for seconds in (0, 290, 310):
                await asyncio.to_thread(emulator.advance, seconds)
                await asyncio.gather(led("a"), led("b"))

    def meter(speed: str) -> dict[str, Any]:
        with running_emulator("--speed", speed, "--answer-tokens", "20", "--tier", "unlimited") as emulator:
            asyncio.run(run(emulator))
            return emulator.meter()

    slow = meter("1")
    assert slow == meter("10") == meter("50")
    (row,) = slow["rows"]
    # Written twice for each of the two prefixes; all else was read.
    assert (row["requests"], row["cache_write_5m_tokens"], row["cache_read_tokens"]) == (
        30,
        4 * 1_200,
        26 * 1_200,
    )


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/messages/count_tokens"),
        ("GET", "/v1/messages/batches"),
        ("GET", "/v1/models"),
        ("GET", "/v1/organizations/cost_report"),
    ],
)
def test_every_group_of_paths_has_a_limit_of_its_own_and_tells_it_whatever_the_answer(
    method: str, path: str
) -> None:
    with running_emulator("--latency", "off", "--speed", "0.001") as emulator:
        headers = {"x-api-key": "sk-ant-admin-test"}
        left = []
        for _ in range(16):
            answer = emulator.http.request(method, path, headers=headers)
            assert answer.status_code != 429
            left.append(int(answer.headers["anthropic-ratelimit-requests-remaining"]))
        assert left == list(range(15, -1, -1))
        answer = emulator.http.request(method, path, headers=headers)
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
        assert send(emulator).stop_reason == "end_turn"


@pytest.mark.parametrize("body", ["[" * 100_000, "[" * 5_000 + "]" * 5_000], ids=["open", "closed"])
def test_json_that_lies_too_deep_is_a_400(emulator: RunningEmulator, body: str) -> None:
    answer = emulator.http.post("/v1/messages", content=body, headers={"x-api-key": "test-key"})
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")


@pytest.mark.parametrize("change", [{"stop_sequences": [" "]}, {"metadata": 5}], ids=["rule", "shape"])
def test_a_refused_message_tells_how_the_limits_stand_as_well(change: dict[str, Any]) -> None:
    with running_emulator("--latency", "off") as emulator:
        with pytest.raises(anthropic.BadRequestError) as refused:
            send(emulator, **change)
        assert refused.value.response.headers["anthropic-ratelimit-requests-limit"] == "1000"


def test_output_and_uncached_input_draw_from_their_limits_and_cache_reads_do_not() -> None:
    def remaining(answer: Any) -> tuple[int, int]:
        kinds = ("input-tokens", "output-tokens")
        first, second = (int(answer.headers[f"anthropic-ratelimit-{kind}-remaining"]) for kind in kinds)
        return first, second

    with running_emulator("--latency", "off", "--speed", "0.000001") as emulator:
        create = emulator.client().messages.with_raw_response.create
        cold, warm = create(**asked()), create(**asked())
        usages = [classes(answer.parse().usage) for answer in (cold, warm)]
        output_tokens = warm.parse().usage.output_tokens
    assert usages[1][3] == STABLE_TOKENS
    drawn = [before - after for before, after in zip(remaining(cold), remaining(warm), strict=True)]
    assert drawn == [usages[1][0], output_tokens]
    assert 2_000_000 // 60 - remaining(cold)[0] == usages[0][0] + STABLE_TOKENS


def test_a_burst_of_cold_calls_pays_as_much_at_ten_times_the_speed() -> None:
    async def burst(emulator: RunningEmulator) -> None:
        async with emulator.async_client() as client:
            await asyncio.gather(*[client.messages.create(**asked()) for _ in range(40)])

    for speed in ("1", "10"):
        with running_emulator("--speed", speed, "--answer-tokens", "20", "--tier", "unlimited") as emulator:
            # A busy machine takes a while to send them all: no answer begins before the last is on its way.
            emulator.fault("slow_first_byte", share=1, seconds=3 * int(speed))
            asyncio.run(burst(emulator))
            (row,) = emulator.meter()["rows"]
            assert (row["cache_write_5m_tokens"], row["cache_read_tokens"]) == (40 * STABLE_TOKENS, 0)


def test_refusals_do_not_change_which_requests_miss() -> None:
    def reads(*options: str) -> list[bool]:
        seen: list[bool] = []
        with running_emulator("--latency", "off", "--miss-share", "0.4", *options) as emulator:
            while len(seen) < 30:
                try:
                    seen.append(classes(send(emulator).usage)[3] > 0)
                except anthropic.RateLimitError:
                    emulator.advance(1)
        return seen

    assert reads("--tier", "start", "--speed", "0.001") == reads("--tier", "unlimited")


def test_a_reset_answers_who_is_still_waiting() -> None:
    async def scenario(emulator: RunningEmulator) -> None:
        await asyncio.to_thread(emulator.advance, 86_400)
        async with emulator.async_client() as client:
            call = asyncio.create_task(client.messages.create(**asked(), timeout=20))
            while not await asyncio.to_thread(emulator.calls):
                assert not call.done()
            await asyncio.to_thread(emulator.reset)
            await asyncio.wait_for(call, 10)

    with running_emulator("--speed", "0.01", "--tier", "unlimited") as emulator:
        asyncio.run(scenario(emulator))
