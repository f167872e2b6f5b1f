"""What a prompt costs per 1,000 summaries, restated by arithmetic that shares nothing with the code."""

from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

import pytest

from core.measured import ANSWER_TOKENS
from core.prompt import Layer, PlayerFacts, estimated_tokens, layers, sports
from core.prompt_cost import (
    Part,
    bodies_to_count,
    cost_of_longer_sheet,
    counted_parts,
    estimated_parts,
    example_layers,
    layers_to_mark,
    prompt_cost,
)
from core.request import answer_schema
from core.states import Tone

AT = datetime(2026, 11, 24, tzinfo=UTC)
HAIKU = "claude-haiku-5-5"  # USD per million: 0.10 in, 0.01 read, 0.125 written for 5 minutes, 0.50 out
SONNET = "claude-sonnet-5-5"  # its reads became cheaper on 2026-10-07
PARTS = (
    Part("instructions", 2_000, shared=True),
    Part("sport", 3_000, shared=True),
    Part("tone", 150, shared=True),
    Part("player", 200, shared=False),
    Part("note", 100, shared=False),
)


def by_hand(tokens: int, uses: int) -> Fraction:
    """A thousand uses of shared tokens on Haiku, in dollars: each write at 0.125, each read at 0.01."""
    writes = Fraction(1_000, uses)
    reads = 1_000 - writes
    return (writes * Fraction(125, 1_000) + reads * Fraction(1, 100)) * tokens / 1_000_000


@pytest.mark.parametrize("uses", [2, 5, 1_000, 4_000])
def test_shared_parts_are_written_once_and_read_by_all_other_uses(uses: int) -> None:
    cost = prompt_cost(PARTS, model=HAIKU, at=AT, uses=uses)
    assert cost.uncached_because is None
    for part, each in cost.parts:
        plain = Fraction(part.tokens, 10_000)  # 1,000 x tokens x 0.10 / 1,000,000
        assert Fraction(each.uncached_usd) == plain
        assert Fraction(each.usd) == (by_hand(part.tokens, uses) if part.shared else plain)


def test_the_figures_of_a_round_prompt_are_these() -> None:
    cost = prompt_cost(PARTS, model=HAIKU, at=AT, uses=1_000)
    told = cost.to_json()
    assert told["layers"][1] == {
        "name": "sport",
        "tokens": 3_000,
        "shared": True,
        "uncached_cost_per_1000_summaries_usd": "0.3",
        "cost_per_1000_summaries_usd": "0.030345",  # 0.03 read by all, and 0.000345 more for one write
    }
    assert told["prompt"]["tokens"] == 5_450
    assert told["prompt"]["uncached_cost_per_1000_summaries_usd"] == "0.545"
    assert told["answer"]["cost_per_1000_summaries_usd"] == "0.07"
    assert told["total"]["uncached_cost_per_1000_summaries_usd"] == "0.615"
    assert ANSWER_TOKENS == 140


def test_totals_are_the_sums_of_what_is_shown_even_when_a_share_has_no_finite_decimal() -> None:
    cost = prompt_cost(PARTS, model=HAIKU, at=AT, uses=7)
    assert cost.prompt.usd == sum(each.usd for _, each in cost.parts)
    assert cost.total.usd == cost.prompt.usd + Decimal("0.07")
    for part, each in cost.parts:
        if part.shared:
            assert abs(Fraction(each.usd) - by_hand(part.tokens, 7)) <= Fraction(1, 2 * 10**12)
            assert each.usd == each.usd.quantize(Decimal("1e-12"))


def test_costs_are_at_the_prices_of_the_day() -> None:
    before, after = (
        prompt_cost(PARTS, model=SONNET, at=datetime(2026, 10, day, tzinfo=UTC), uses=1_000) for day in (6, 7)
    )
    assert before.prompt.uncached_usd == after.prompt.uncached_usd
    # 999 of a thousand uses read 5,150 tokens, at 0.20 a million before and at 0.10 after.
    assert before.prompt.usd - after.prompt.usd == Decimal("0.514485")


def test_a_prefix_one_token_too_short_is_not_cached_at_all_and_says_so() -> None:
    short, enough = ((Part("sport", tokens, shared=True),) for tokens in (511, 512))
    cost = prompt_cost(short, model=HAIKU, at=AT, uses=1_000)
    assert cost.total.usd == cost.total.uncached_usd
    assert cost.uncached_because == "the shared layers have 511 tokens, claude-haiku-5-5 caches from 512"
    assert prompt_cost(enough, model=HAIKU, at=AT, uses=1_000).uncached_because is None


def test_what_is_not_shared_does_not_make_a_prefix_longer() -> None:
    parts = (Part("sport", 500, shared=True), Part("player", 500, shared=False))
    assert prompt_cost(parts, model=HAIKU, at=AT, uses=1_000).uncached_because


def test_a_prefix_that_is_used_once_is_not_written() -> None:
    cost = prompt_cost(PARTS, model=HAIKU, at=AT, uses=1)
    assert cost.total.usd == cost.total.uncached_usd
    assert cost.uncached_because == "a write pays from 2 uses on"


def test_a_longer_sheet_costs_the_input_price_or_little_more_than_a_read() -> None:
    more = cost_of_longer_sheet(PARTS, model=HAIKU, at=AT, uses=1_000)
    assert (more.uncached_usd, more.usd) == (Decimal("0.1"), Decimal("0.010115"))


def test_a_longer_sheet_saves_when_it_makes_the_prefix_long_enough() -> None:
    older = "claude-haiku-4-5"  # caches from 4,096; USD per million: 1 in, 0.10 read, 1.25 written
    parts = (Part("instructions", 1_500, shared=True), Part("sport", 2_500, shared=True))
    more = cost_of_longer_sheet(parts, model=older, at=AT, uses=1_000)
    assert more.uncached_usd == 1
    assert more.usd == Decimal("0.50575") - 4  # 5,000 tokens written once and read 999 times, not 4,000 plain


@pytest.mark.parametrize("sport", sports())
def test_the_parts_are_the_texts_that_a_call_sends(sport: str) -> None:
    made_up, note = example_layers(sport, Tone.WARM)
    parts = estimated_parts(made_up, note, HAIKU)
    assert [part.name for part in parts] == ["instructions", "sport", "tone", "player", "note"]
    assert [part.shared for part in parts] == [True, True, True, False, False]
    texts = [*(layer.text for layer in made_up), note]
    assert [part.tokens for part in parts] == [estimated_tokens(text, HAIKU) for text in texts]


def test_the_api_is_asked_once_for_the_whole_and_once_without_each_part() -> None:
    made_up, note = example_layers("soccer", Tone.WARM)
    schema = answer_schema("soccer", Tone.WARM)
    bodies = dict(bodies_to_count(made_up, note, HAIKU, schema))
    assert list(bodies) == ["whole", "instructions", "sport", "tone", "player", "note"]
    texts = {name: [block["text"] for block in blocks_of(body)] for name, body in bodies.items()}
    whole = [*(layer.text for layer in made_up), note]
    assert texts.pop("whole") == whole
    for place, left in enumerate(texts.values()):
        assert left == whole[:place] + whole[place + 1 :]
    for body in bodies.values():
        assert "max_tokens" not in body
        assert body["output_config"]["format"]["schema"] == schema
        assert all(body["system"])
        assert body["messages"][0]["content"]
    assert len(bodies["tone"]["system"]) == 2
    assert len(bodies["player"]["system"]) == 3


def blocks_of(body: dict[str, object]) -> list[dict[str, str]]:
    system, messages = body["system"], body["messages"]
    assert isinstance(system, list)
    assert isinstance(messages, list)
    return [*system, *messages[0]["content"]]


def test_what_counts_for_no_part_is_the_frame_which_every_call_shares() -> None:
    counts = {"whole": 1_000, "instructions": 600, "sport": 700, "tone": 950, "player": 940, "note": 960}
    parts = counted_parts(counts)
    assert parts[0] == Part("frame", 1_000 - 400 - 300 - 50 - 60 - 40, shared=True)
    assert parts[1:] == (
        Part("instructions", 400, shared=True),
        Part("sport", 300, shared=True),
        Part("tone", 50, shared=True),
        Part("player", 60, shared=False),
        Part("note", 40, shared=False),
    )


def test_markers_stand_at_shared_layers_whose_prefix_is_long_enough() -> None:
    lengths = {"instructions": 1_200, "sport": 100, "tone": 1, "player": 1}
    made = [Layer(name, "x" * length) for name, length in lengths.items()]
    assert layers_to_mark(made, HAIKU) == {"sport", "tone"}  # 480, 520 and 521 tokens; 512 are needed
    assert layers_to_mark(made, "claude-haiku-4-5") == set()
    soccer = layers("soccer", Tone.WARM, PlayerFacts("Aoife", None, None, None))
    assert layers_to_mark(soccer, HAIKU) == {"instructions", "sport", "tone"}
