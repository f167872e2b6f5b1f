"""What is shared is written before the overnight batches: by as few calls as can, in stages where that pays.

The numbers are worked out by hand in millionths of a dollar: a token costs 0.05 in, 0.005 read, 0.10 written.
A call that finds nothing writes 5,950 tokens (595); one that reads the instructions (9) writes 4,150 (415);
one that reads the sport (29) writes 150 (15).
"""

from collections import Counter
from collections.abc import Collection, Mapping
from decimal import Decimal

import pytest

from core.calls import Prefix
from core.markers import Decision
from core.plan import Branch, PlannedPrefix
from core.pricing import prices_at
from core.priming import Stage, prime_stages, stages_in_time
from core.states import ServiceTier, Tone
from tests.unit.planned import MODEL, NOW

PRICES = prices_at(MODEL, NOW, service_tier=ServiceTier.BATCH)
WARM, BRIEF, PROFESSIONAL = Tone.WARM, Tone.BRIEF, Tone.PROFESSIONAL
TOKENS = (1_800, 4_000, 150)  # of the instructions, a sport and a tone
COLD, AFTER_ROOT, AFTER_SPORT = 595, 9 + 415, 29 + 15

ROOT = Branch(False)
GAA, RUGBY, SOCCER = (Branch(False, sport) for sport in ("gaa_football", "rugby", "soccer"))


def tones(sport: Branch) -> tuple[Branch, Branch, Branch]:
    """The tones of a sport, in the order in which they are used most below."""
    warm, brief, professional = (sport._replace(tone=tone) for tone in (WARM, BRIEF, PROFESSIONAL))
    return warm, brief, professional


GAA_WARM, GAA_BRIEF, GAA_PROFESSIONAL = tones(GAA)
RUGBY_WARM, RUGBY_BRIEF, RUGBY_PROFESSIONAL = tones(RUGBY)
SOCCER_WARM, SOCCER_BRIEF, SOCCER_PROFESSIONAL = tones(SOCCER)
NINE = {
    leaf: 90 - 10 * place
    for place, leaf in enumerate(leaf for sport in (GAA, RUGBY, SOCCER) for leaf in tones(sport))
}


def parents(leaf: Branch) -> tuple[Branch, Branch]:
    return Branch(leaf.packed), Branch(leaf.packed, leaf.sport)


def planned(
    uses: Mapping[Branch, int], unmarked: Collection[Branch] = (), tokens: tuple[int, int, int] = TOKENS
) -> dict[Branch, PlannedPrefix]:
    """The prefixes of leaves that are used so often, with their parents: marked, but for some."""
    counted: Counter[Branch] = Counter()
    for leaf, number in uses.items():
        counted.update(dict.fromkeys((*parents(leaf), leaf), number))
    return {branch: _planned(branch, counted[branch], branch not in unmarked, tokens) for branch in counted}


def _planned(branch: Branch, uses: int, is_marked: bool, tokens: tuple[int, int, int]) -> PlannedPrefix:
    layers = tokens[: len(branch) - branch.count(None)]
    prefix = Prefix(key(branch), sum(layers), "1h" if is_marked else None)
    return PlannedPrefix(branch, prefix, layers[-1], uses, Decision(prefix.ttl, "for this test", 0.0))


def key(branch: Branch) -> str:
    return "/".join(str(part) for part in branch if part is not None)


def primed(
    prefixes: Mapping[Branch, PlannedPrefix],
    *warm: Branch,
    total_price: float = 0.0,
    stages_max: int = 3,
) -> tuple[Stage, ...]:
    keys = {key(branch) for branch in warm}
    return prime_stages(prefixes, keys, PRICES, total_price=total_price, stages_max=stages_max)


def sizes(stages: tuple[Stage, ...]) -> list[int]:
    return [len(stage) for stage in stages]


def run_that_just_pays(saved: int) -> float:
    """What a run may cost at most for so much saved to pay for a stage more: half a percent of it."""
    return saved * 200


def test_the_numbers_here_are_at_the_prices_of_a_batch() -> None:
    prices = (PRICES.input, PRICES.cache_read, PRICES.cache_write_1h)
    assert prices == (Decimal("0.05"), Decimal("0.005"), Decimal("0.10"))


def test_where_waiting_costs_nothing_each_layer_is_written_in_a_stage_of_its_own() -> None:
    assert primed(planned(NINE)) == (
        (GAA_WARM,),
        (GAA_BRIEF, GAA_PROFESSIONAL, RUGBY_WARM, SOCCER_WARM),
        (RUGBY_BRIEF, RUGBY_PROFESSIONAL, SOCCER_BRIEF, SOCCER_PROFESSIONAL),
    )


def test_in_two_stages_the_sports_are_shared_because_they_are_longest() -> None:
    """3 * 595 + 6 * 44 = 2,049; sharing the instructions alone would be 595 + 8 * 424 = 3,987."""
    assert primed(planned(NINE), stages_max=2) == (
        (GAA_WARM, RUGBY_WARM, SOCCER_WARM),
        (GAA_BRIEF, GAA_PROFESSIONAL, RUGBY_BRIEF, RUGBY_PROFESSIONAL, SOCCER_BRIEF, SOCCER_PROFESSIONAL),
    )


def test_in_two_stages_the_instructions_are_shared_where_few_sports_have_a_second_tone() -> None:
    """595 + 6 * 424 = 3,139; sharing the one sport that has two tones would be 6 * 595 + 44 = 3,614."""
    others = {Branch(False, f"sport {number}", WARM): 50 - number for number in range(4)}
    prefixes = planned({GAA_WARM: 90, RUGBY_WARM: 80, RUGBY_BRIEF: 3} | others)
    assert primed(prefixes, stages_max=2) == ((GAA_WARM,), (RUGBY_WARM, *others, RUGBY_BRIEF))
    assert primed(prefixes) == ((GAA_WARM,), (RUGBY_WARM, *others), (RUGBY_BRIEF,))


def test_in_one_stage_every_call_pays_for_all_it_writes() -> None:
    assert primed(planned(NINE), stages_max=1) == (tuple(NINE),)


@pytest.mark.parametrize(("sports", "last_saves"), [(3, 342), (6, 855)])
def test_a_third_stage_must_save_its_share_of_what_the_run_costs(sports: int, last_saves: int) -> None:
    """All but one of the sports read the instructions (9) and no longer write them (180): 171 each."""
    uses = {leaf: 10 for number in range(sports) for leaf in tones(Branch(False, f"sport {number}"))}
    two = sports * COLD + 2 * sports * AFTER_SPORT
    three = COLD + (sports - 1) * AFTER_ROOT + 2 * sports * AFTER_SPORT
    assert two - three == last_saves
    limit = run_that_just_pays(last_saves)
    assert sizes(primed(planned(uses), total_price=limit * 0.999)) == [1, sports + 1, 2 * (sports - 1)]
    assert sizes(primed(planned(uses), total_price=limit * 1.001)) == [sports, 2 * sports]


@pytest.mark.parametrize(("sports", "second_saves"), [(3, 3_306), (6, 6_612)])
def test_a_second_stage_must_save_its_share_of_what_the_run_costs(sports: int, second_saves: int) -> None:
    """Two tones of each sport read it (29) and no longer write it (580): 551 each."""
    uses = {leaf: 10 for number in range(sports) for leaf in tones(Branch(False, f"sport {number}"))}
    assert 3 * sports * COLD - (sports * COLD + 2 * sports * AFTER_SPORT) == second_saves
    limit = run_that_just_pays(second_saves)
    assert sizes(primed(planned(uses), total_price=limit * 0.999)) == [sports, 2 * sports]
    assert sizes(primed(planned(uses), total_price=limit * 1.001)) == [3 * sports]


def test_two_sports_of_one_tone_each_share_the_instructions_where_that_pays() -> None:
    prefixes = planned({GAA_WARM: 20, RUGBY_WARM: 10})
    limit = run_that_just_pays(2 * COLD - (COLD + AFTER_ROOT))
    assert primed(prefixes, total_price=limit * 0.999) == ((GAA_WARM,), (RUGBY_WARM,))
    assert primed(prefixes, total_price=limit * 1.001) == ((GAA_WARM, RUGBY_WARM),)


def test_one_sport_and_one_tone_take_one_call() -> None:
    assert primed(planned({GAA_WARM: 5})) == ((GAA_WARM,),)


def test_nothing_due_takes_no_call() -> None:
    assert primed({}) == ()


def test_nothing_marked_takes_no_call() -> None:
    assert primed(planned({GAA_WARM: 1}, unmarked=(ROOT, GAA, GAA_WARM))) == ()


def test_everything_warm_takes_no_call() -> None:
    prefixes = planned(NINE)
    assert primed(prefixes, *prefixes) == ()


def test_the_tone_used_most_writes_a_sport_of_which_no_tone_is_marked() -> None:
    uses = {GAA_WARM: 1, GAA_BRIEF: 2, GAA_PROFESSIONAL: 1, RUGBY_WARM: 9}
    unmarked = (GAA_WARM, GAA_BRIEF, GAA_PROFESSIONAL)
    assert primed(planned(uses, unmarked), stages_max=1) == ((RUGBY_WARM, GAA_BRIEF),)


def test_tones_used_equally_often_go_by_name() -> None:
    uses = dict.fromkeys((GAA_WARM, GAA_PROFESSIONAL, GAA_BRIEF), 2)
    assert primed(planned(uses, unmarked=tuple(uses))) == ((GAA_BRIEF,),)


def test_a_sport_is_written_by_its_marked_tone_and_not_once_more_for_the_others() -> None:
    prefixes = planned({GAA_WARM: 1, GAA_BRIEF: 5, GAA_PROFESSIONAL: 2}, (GAA_WARM, GAA_PROFESSIONAL))
    assert primed(prefixes) == ((GAA_BRIEF,),)


def test_instructions_alone_are_written_by_the_leaf_used_most() -> None:
    uses = {GAA_WARM: 1, RUGBY_BRIEF: 2, SOCCER_WARM: 1}
    unmarked = (GAA, RUGBY, SOCCER, *uses)
    assert primed(planned(uses, unmarked)) == ((RUGBY_BRIEF,),)


def test_nobody_waits_for_a_layer_that_is_warm() -> None:
    """With the instructions warm a third stage saves nothing, and with a sport warm its tones go at once."""
    assert sizes(primed(planned(NINE), ROOT)) == [3, 6]
    stages = primed(planned(NINE), ROOT, GAA, stages_max=2)
    assert stages == (
        (GAA_WARM, GAA_BRIEF, GAA_PROFESSIONAL, RUGBY_WARM, SOCCER_WARM),
        (RUGBY_BRIEF, RUGBY_PROFESSIONAL, SOCCER_BRIEF, SOCCER_PROFESSIONAL),
    )


def test_only_the_one_tone_that_has_gone_cold_is_written() -> None:
    prefixes = planned(NINE)
    assert primed(prefixes, *(branch for branch in prefixes if branch != RUGBY_BRIEF)) == ((RUGBY_BRIEF,),)


def test_what_lies_inside_a_longer_prefix_that_is_warm_needs_no_call() -> None:
    """A use keeps the prefix warm that it reads, not the shorter ones in it: the next use reads it again."""
    assert primed(planned(NINE), *NINE) == ()
    assert primed(planned({GAA_WARM: 9, GAA_BRIEF: 2}, unmarked=(GAA_BRIEF,)), GAA) == ((GAA_WARM,),)


def test_instructions_are_not_written_by_a_call_that_reads_its_sport() -> None:
    """The tone of the warm sport needs a call; the instructions are for the other, which is too rare."""
    uses = {GAA_WARM: 90, RUGBY_WARM: 2}
    prefixes = planned(uses, unmarked=(RUGBY, RUGBY_WARM))
    assert primed(prefixes) == ((GAA_WARM,),)
    assert primed(prefixes, GAA) == ((GAA_WARM, RUGBY_WARM),)


def test_instructions_too_short_to_be_marked_leave_two_layers() -> None:
    """Then a third stage has nothing to share, whatever the run costs."""
    prefixes = planned(NINE, unmarked=(ROOT,), tokens=(300, 4_000, 150))
    assert sizes(primed(prefixes)) == [3, 6]


def test_a_sport_too_rare_to_be_marked_still_shares_the_instructions() -> None:
    prefixes = planned(NINE | {SOCCER_WARM: 2}, unmarked=(SOCCER, *tones(SOCCER)))
    assert primed(prefixes) == (
        (GAA_WARM,),
        (GAA_BRIEF, GAA_PROFESSIONAL, RUGBY_WARM),
        (RUGBY_BRIEF, RUGBY_PROFESSIONAL),
    )


def test_two_forms_share_nothing_and_go_through_their_stages_together() -> None:
    packs = {leaf._replace(packed=True): uses for leaf, uses in NINE.items() if leaf.sport != "soccer"}
    one, two, three = primed(planned(NINE | packs))
    assert one == (GAA_WARM, GAA_WARM._replace(packed=True))  # equal uses: singles first
    assert (len(two), len(three)) == (4 + 3, 4 + 2)
    assert sizes(primed(planned(NINE | packs), stages_max=2)) == [3 + 2, 6 + 4]


def test_a_form_of_one_leaf_goes_with_the_first_stage_of_the_other() -> None:
    pack = RUGBY_WARM._replace(packed=True)
    assert primed(planned({GAA_WARM: 9, GAA_BRIEF: 8, pack: 3})) == ((GAA_WARM, pack), (GAA_BRIEF,))


@pytest.mark.parametrize(
    ("batch_seconds", "stages"),
    [(0.0, 3), (60.0, 3), (750.0, 3), (751.0, 2), (1_000.0, 2), (1_001.0, 1), (1_500.0, 1), (86_400.0, 1)],
)
def test_so_many_stages_end_before_the_first_has_gone_cold(batch_seconds: float, stages: int) -> None:
    """Fifty minutes for the stages and the start of the main batch; one stage there always is."""
    assert stages_in_time(batch_seconds) == stages
