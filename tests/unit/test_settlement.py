"""What settles an item of a batch: half of every price, no latency, and nothing for what was not answered."""

from decimal import Decimal

import pytest

from core.batches import NOT_ANSWERED, BatchedAttempt, BatchedInsight, errored
from core.retry import Failure
from core.roster import Roster
from core.settlement import (
    Settlement,
    predicted_entry,
    settled_by_failure,
    settled_by_reply,
    settled_without_answer,
)
from core.states import Lane, Outcome, ServiceTier, Tone
from core.usage import Usage
from core.verdict import Reply, judge
from tests.unit.planned import NOW, calls, insight
from tests.unit.test_verdict import reply

FREE = Decimal(0)
ITEM = BatchedAttempt(
    attempt_id="a1",
    occurred_at=NOW,
    model="claude-haiku-4-5",
    price_version="as estimated",
    prompt_version="prompt",
    packed=False,
    insights=(
        BatchedInsight("i1", "Passing", "Calm on the ball.", "Aoife", None, None, False, Tone.WARM, 0, True),
    ),
)


def answer(usage: Usage, *, text: str = reply().text, stop_reason: str = "end_turn") -> Reply:
    return Reply(text, stop_reason, ITEM.model, usage, "batch", None, "req_1")


def settled(given: Reply) -> Settlement:
    return settled_by_reply(ITEM, given, judge(given, ITEM, Roster(())), NOW)


@pytest.mark.parametrize(
    ("usage", "usd"),
    [
        (Usage(10, cache_read_tokens=4_000, output_tokens=100), "0.000455"),
        (Usage(10, cache_write_1h_tokens=4_000, output_tokens=100), "0.004255"),
        (Usage(1), "0.0000005"),
        (Usage(0, cache_read_tokens=1), "0.00000005"),
        (Usage(0, cache_write_5m_tokens=1), "0.000000625"),
        (Usage(1, output_tokens=1), "0.000003"),
    ],
)
def test_an_item_costs_half_of_every_token_class_to_the_last_digit(usage: Usage, usd: str) -> None:
    one = settled(answer(usage))
    assert (one.outcome, one.cost_usd, one.service_tier) == (Outcome.SUCCEEDED, Decimal(usd), "batch")
    assert one.figures()["cache_hit_rate"] == usage.cache_hit_rate


def test_a_planned_call_of_a_batch_is_expected_to_cost_half_of_the_same_call_made_live() -> None:
    live, batched = (predicted_entry(calls([insight(1)], lane=lane)[0], NOW) for lane in Lane)
    assert (live.service_tier, batched.service_tier) == (ServiceTier.STANDARD, ServiceTier.BATCH)
    assert batched.usage == live.usage
    assert batched.cost_usd * 2 == live.cost_usd > 0


def test_how_long_an_item_took_is_not_known_whether_it_was_answered_or_not() -> None:
    turned_away = settled_by_failure(ITEM, errored("overloaded_error", "req_2"), NOW)
    assert (turned_away.outcome, turned_away.cost_usd) == (Outcome.REJECTED, FREE)
    assert (turned_away.outcome_reason, turned_away.request_id) == ("overloaded_error", "req_2")
    assert [settled(answer(Usage(1))).latency_ms, turned_away.latency_ms] == [None, None]


def test_a_refusal_before_any_output_costs_nothing_and_keeps_its_tokens_and_a_later_one_is_paid() -> None:
    usage = Usage(10, cache_read_tokens=4_000, output_tokens=100)
    before, amid = (settled(answer(usage, text=text, stop_reason="refusal")) for text in ("", "I can"))
    assert (before.outcome, amid.outcome) == (Outcome.REFUSED, Outcome.REFUSED)
    assert (before.usage, before.cost_usd) == (usage, FREE)
    assert amid.cost_usd == Decimal("0.000455")


def test_an_answer_that_cannot_be_used_is_paid_for() -> None:
    one = settled(answer(Usage(10, 4_000, output_tokens=100), text="{"))
    assert (one.outcome, one.outcome_reason, one.cost_usd) == (
        Outcome.UNUSABLE,
        "not_json",
        Decimal("0.000455"),
    )


@pytest.mark.parametrize("kind", NOT_ANSWERED)
def test_what_ran_out_of_time_or_was_cancelled_is_free_and_what_cannot_be_read_is_lost(kind: str) -> None:
    outcome, reason = NOT_ANSWERED[kind]
    free = settled_without_answer(ITEM, outcome, reason, NOW)
    assert (free.outcome.value, free.cost_usd, free.usage) == (kind, FREE, Usage(0))
    unreadable = settled_by_failure(ITEM, Failure(200, "answer_unreadable"), NOW)
    assert (unreadable.outcome, unreadable.cost_usd, unreadable.price_version) == (
        Outcome.LOST,
        None,
        "as estimated",
    )
