"""A night as it is planned: at the prices of batches, written by primes, and read by all the rest."""

import json
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from core.calls import Chunk, PlannedCall, Prefix
from core.claimed import ClaimedInsight
from core.forecast import Limits
from core.markers import LifetimePolicy
from core.measured import Measured, text_key
from core.night import ExpectedNight
from core.pages import plan_page
from core.plan import Branch, RunPlan, plan_run
from core.plan_report import PlanReport, PlanTally
from core.priming import Stage, prime_stages
from core.prompt import texts_of
from core.states import Lane, Tone
from core.survey import Group, Survey, survey_of
from tests.unit.planned import MODEL, calls, crowd, ids, insight, terms

WARM, BRIEF = Tone.WARM, Tone.BRIEF
READ, INPUT, WRITE, OUTPUT = 5, 50, 100, 250  # thousandths of a millionth of a dollar a token
NIGHT = terms(lane=Lane.OVERNIGHT)

SOCCER_WARM, SOCCER_BRIEF, RUGBY_WARM = (
    Branch(False, sport, tone) for sport, tone in (("soccer", WARM), ("soccer", BRIEF), ("rugby", WARM))
)
CALLS = {SOCCER_WARM: 5, SOCCER_BRIEF: 3, RUGBY_WARM: 3}
STAGES: tuple[Stage, ...] = ((SOCCER_WARM,), (SOCCER_BRIEF, RUGBY_WARM))


def due_by_leaf() -> list[ClaimedInsight]:
    """An insight a player, as many of each sport and tone as CALLS says."""
    leaves = [leaf for leaf, number in CALLS.items() for _ in range(number)]
    return [insight(n, player=n, sport=leaf.sport, tone=leaf.tone) for n, leaf in enumerate(leaves)]


def counted_plan() -> RunPlan:
    """A plan for these, with instructions of 1,800 tokens, sports of 4,000 and tones of 150."""
    lengths: dict[str, int] = {}
    for leaf in CALLS:
        texts = texts_of(str(leaf.sport), leaf.tone or WARM)
        lengths |= {texts.instructions: 1_800, texts.sport_sheet: 4_000, texts.tone_text: 150}
    measured = Measured(MODEL, layers={text_key(text): tokens for text, tokens in lengths.items()})
    return plan_run(survey_of(due_by_leaf()), replace(NIGHT, measured=measured))


def called(chunks: Sequence[Chunk]) -> list[PlannedCall]:
    return [call for chunk in chunks for call in chunk.calls]


def leaf_of(call: PlannedCall) -> Branch:
    return Branch(call.packed, call.about.sport, call.about.tone)


def report(plan: RunPlan, stages: tuple[Stage, ...], due: list[ClaimedInsight]) -> PlanReport:
    """What a plan tells of the night, with batches that take ten minutes."""
    tally = PlanTally(plan, {})
    tally.add(ExpectedNight(plan, stages, ()).chunks(due))
    return tally.report(stages, 600.0)


def shared(uses: int, lifetime: LifetimePolicy = "auto") -> tuple[Prefix, ...]:
    """The shared prefixes of so many calls of one sport and tone, of a club that is busy all day."""
    survey = Survey([Group("soccer", WARM, {1: uses}, arrivals_per_hour=400.0)])
    return plan_run(survey, replace(NIGHT, lifetime=lifetime)).shared_prefixes("soccer", WARM, False)


@pytest.mark.parametrize(("uses", "ttl"), [(1, None), (2, None), (3, "1h"), (5_000, "1h")])
def test_only_three_who_read_it_are_worth_a_write_for_an_hour_whatever_the_day_brings(
    uses: int, ttl: str | None
) -> None:
    """In batches' prices two uses are 0.05 + 0.05 plain, or 0.10 + 0.005 written once."""
    assert [one.ttl for one in shared(uses)] == [ttl] * 3


@pytest.mark.parametrize(
    ("lifetime", "few", "many"), [("none", None, None), ("5m", None, "1h"), ("1h", None, "1h")]
)
def test_a_set_lifetime_leaves_the_night_the_longer_one_where_it_pays_and_none_is_respected(
    lifetime: LifetimePolicy, few: str | None, many: str | None
) -> None:
    assert {one.ttl for one in shared(2, lifetime)} == {few}
    assert {one.ttl for one in shared(50, lifetime)} == {many}


def test_a_plan_for_the_night_counts_at_the_prices_of_batches() -> None:
    """Three calls: each layer written once at 0.10, read twice at 0.005 but for 2 % of misses."""
    plan = plan_run(Survey([Group("soccer", WARM, {1: 3})]), NIGHT)
    tokens = plan.shared_prefixes("soccer", WARM, False)[-1].tokens
    each = 0.10 + 2 * (0.98 * 0.005 + 0.02 * 0.10)
    assert plan.price == pytest.approx(tokens * each + 3 * 60 * 0.05)
    assert plan.expected_price == pytest.approx(plan.price + 3 * (90 * 0.05 + 140 * 0.25))


def test_nothing_goes_cold_within_a_batch_however_slowly_calls_may_be_made_by_day() -> None:
    survey = Survey([Group("soccer", WARM, {1: 300}), Group("soccer", BRIEF, {1: 3})])
    slow = Limits(requests=1)
    assert plan_run(survey, replace(NIGHT, limits=slow)).prefixes == plan_run(survey, NIGHT).prefixes
    assert plan_run(survey, terms(limits=slow)).prefixes != plan_run(survey, terms()).prefixes


def test_what_is_warm_is_marked_for_a_single_use_at_night_too() -> None:
    root = shared(1)[0].key
    plan = plan_run(Survey([Group("soccer", WARM, {1: 1})], {root: "1h"}), NIGHT)
    assert [one.ttl for one in plan.shared_prefixes("soccer", WARM, False)] == ["1h", None, None]


def test_calls_of_one_batch_cannot_share_a_players_layer_so_it_is_never_marked() -> None:
    due = [insight(n) for n in range(9)]
    for policy in ("auto", "1h"):
        planned = calls(due, lane=Lane.OVERNIGHT, lifetime=policy)
        assert len(planned) == 9
        assert {tuple(one.ttl for one in call.prefixes) for call in planned} == {("1h", "1h", "1h", None)}
        assert {call.shared for call in planned} == {3}


def test_what_has_had_an_answer_that_cannot_be_used_is_asked_about_alone_the_next_time() -> None:
    due = [insight(n, unusable_answers=int(n in {2, 3})) for n in range(6)]
    for lane in Lane:
        packs = [[one.id for one in call.insights] for call in calls(due, 5, lane=lane)]
        assert sorted(packs) == [["i0002"], ["i0003"], ["i0005", "i0004", "i0001", "i0000"]]


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_calls_that_only_read_leave_nothing_to_be_written(depth: int) -> None:
    """Of the soccer ones so many layers can be read; rugby has the instructions, when they are among them."""
    due, plan = due_by_leaf(), counted_plan()
    keys = {one.key for one in plan.shared_prefixes("soccer", WARM, False)[:depth]}
    for call in called(plan_page(due, plan.reading_only(keys), set(keys))):
        own = {prefix.key: prefix.tokens for prefix in call.prefixes if prefix.key in keys}
        assert call.predicted.cache_read_tokens == max(own.values(), default=0)
        assert call.predicted.cache_write_1h_tokens == call.predicted.cache_write_5m_tokens == 0
        assert {prefix.key for prefix in call.marked} == own.keys()
    assert len(plan.marked_keys) == 6  # the plan itself has kept its markers


def test_the_first_call_of_each_leaf_writes_what_its_stage_writes_and_all_others_read() -> None:
    plan, due = counted_plan(), due_by_leaf()
    usages: dict[Branch, list[tuple[int, int]]] = {leaf: [] for leaf in CALLS}
    night, planned = ExpectedNight(plan, STAGES, ()), list[PlannedCall]()
    for page in (due[:2], due[2:7], due[7:]):
        planned += called(night.chunks(page))
    for call in planned:
        usages[leaf_of(call)].append((call.predicted.cache_write_1h_tokens, call.predicted.cache_read_tokens))
    assert usages == {
        SOCCER_WARM: [(5_950, 0)] + 4 * [(0, 5_950)],
        SOCCER_BRIEF: [(150, 5_800)] + 2 * [(0, 5_950)],
        RUGBY_WARM: [(4_150, 1_800)] + 2 * [(0, 5_950)],
    }
    own = sum(call.predicted.total_input_tokens - 5_950 for call in planned)
    written, read = 5_950 + 150 + 4_150, 5_800 + 1_800 + 8 * 5_950
    nanos = written * WRITE + read * READ + own * INPUT + 11 * 140 * OUTPUT
    assert report(plan, STAGES, due).predicted.cost_usd == Decimal(nanos) / 10**9


def test_what_is_warm_already_is_read_by_the_primes_too() -> None:
    plan = counted_plan()
    root = plan.prefixes[Branch(False)].prefix.key
    planned = called(ExpectedNight(plan, (tuple(CALLS),), {root}).chunks(due_by_leaf()))
    writes = sorted(call.predicted.cache_write_1h_tokens for call in planned)
    assert writes == [0] * 8 + [4_150] * 3


def test_what_no_prime_has_written_is_not_written_by_the_calls_after_it_either() -> None:
    """One prime: the other tone reads its sport, the other sport its instructions, and nobody writes."""
    plan = counted_plan()
    usages = [one.predicted for one in called(ExpectedNight(plan, STAGES[:1], ()).chunks(due_by_leaf()))]
    assert sorted((one.cache_write_1h_tokens, one.cache_read_tokens) for one in usages) == [
        *[(0, 1_800)] * 3,
        *[(0, 5_800)] * 3,
        *[(0, 5_950)] * 4,
        (5_950, 0),
    ]


def played(batch: Sequence[PlannedCall], plan: RunPlan, readable: set[str]) -> tuple[int, set[str]]:
    """What the calls of one batch cost, and the keys that they write; none reads what another writes."""
    nanos, written = 0, set[str]()
    for call in batch:
        form, sport, _ = leaf = leaf_of(call)
        path = (plan.prefixes[branch].prefix for branch in (Branch(form), Branch(form, sport), leaf))
        marked = [prefix for prefix in path if prefix.ttl]
        end = max((prefix.tokens for prefix in marked), default=0)
        read = max((prefix.tokens for prefix in marked if prefix.key in readable), default=0)
        written |= {prefix.key for prefix in marked if prefix.tokens > read}
        plain = call.predicted.total_input_tokens - end
        nanos += read * READ + (end - read) * WRITE + plain * INPUT + 140 * len(call.insights) * OUTPUT
    return nanos, written


@pytest.mark.parametrize("stages_max", [1, 3])
def test_a_crowds_night_costs_what_a_cache_played_through_batch_by_batch_makes_of_it(stages_max: int) -> None:
    due = crowd(stages_max, 120)
    plan = plan_run(survey_of(due), replace(NIGHT, insights_per_call=3))
    stages = prime_stages(plan.prefixes, (), plan.terms.prices, total_price=0.0, stages_max=stages_max)
    left = called(ExpectedNight(plan, stages, ()).chunks(due))
    assert sorted(ids(left)) == sorted(one.id for one in due)
    readable, total = set[str](), 0
    for stage in stages:
        batch = [next(call for call in left if leaf_of(call) == leaf) for leaf in stage]
        left = [call for call in left if call not in batch]
        nanos, written = played(batch, plan, readable)
        total, readable = total + nanos, readable | written
    nanos, written = played(left, plan, readable)
    assert (len(stages), written) == (stages_max, set())
    assert report(plan, stages, due).predicted.cost_usd == Decimal(total + nanos) / 10**9


def test_the_plan_of_a_night_tells_its_lane_its_primes_and_how_long_its_batches_take() -> None:
    plan = json.loads(json.dumps(report(counted_plan(), STAGES, due_by_leaf()).to_json()))
    assert (plan["lane"], plan["insights"], plan["calls"], plan["packs"]) == ("overnight", 11, 11, {"1": 11})
    assert plan["primes"] == [
        {"stage": stage, "form": "single", "layers": ["instructions", sport, tone]}
        for stage, sport, tone in ((1, "soccer", "warm"), (2, "soccer", "brief"), (2, "rugby", "warm"))
    ]
    assert (plan["duration_seconds"], plan["limited_by"]) == (3 * 600.0, "batches, one after another")
    *layers, player = plan["prefixes"]
    assert {row["ttl"] for row in layers} == {"1h"}
    assert (player["uses"], player["marker"]) == (11, False)
    assert player["reason"] == "calls of one batch cannot read what another of them writes"
    root = Decimal(1_800 * (WRITE + 10 * READ) * 1_000) / 11 / 10**9
    assert layers[0]["layers"] == ["instructions"]
    assert Decimal(layers[0]["cost_per_1000_summaries_usd"]) == root.quantize(Decimal("1e-12"))


def test_a_night_with_nothing_due_takes_no_time_and_a_plan_for_the_day_has_no_primes() -> None:
    nothing = report(plan_run(Survey([]), NIGHT), (), []).to_json()
    assert (nothing["lane"], nothing["calls"], nothing["primes"]) == ("overnight", 0, [])
    assert (nothing["duration_seconds"], nothing["limited_by"]) == (0.0, "nothing")
    plan = plan_run(survey_of(due_by_leaf()), terms())
    tally = PlanTally(plan, {})
    tally.add(plan_page(due_by_leaf(), plan, set()))
    day = tally.report().to_json()
    assert (day["lane"], day["primes"], day["limited_by"]) == ("live", [], "concurrency")
