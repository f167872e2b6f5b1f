"""What every plan keeps to, whatever is due, warm or expected."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from core.calls import PlannedCall
from core.claimed import ClaimedInsight
from core.forecast import Limits
from core.markers import LifetimePolicy
from core.pages import plan_page
from core.plan import bare_prefixes, plan_run
from core.pricing import CacheTtl, minimum_prefix_tokens
from core.states import Tone
from core.survey import Survey, survey_of
from tests.unit.planned import SPORTS, ids, insight, predicted_usd, terms

MODELS = ("claude-haiku-5-5", "claude-haiku-4-5", "claude-sonnet-5")


@dataclass(frozen=True)
class Due:
    """What a run finds: insights, what is warm, and what later runs will bring."""

    insights: list[ClaimedInsight]
    survey: Survey
    model: str
    insights_per_call: int
    limits: Limits

    def calls(self, lifetime: LifetimePolicy = "auto") -> list[PlannedCall]:
        """Plan the run, in one page."""
        packing = terms(self.insights_per_call, model=self.model, lifetime=lifetime, limits=self.limits)
        plan = plan_run(self.survey, packing)
        return [
            call for chunk in plan_page(self.insights, plan, set(self.survey.warm)) for call in chunk.calls
        ]


def crowd(chance: random.Random) -> list[ClaimedInsight]:
    """Players with one note or many, of one coach or two, some of one name, some of two sports."""
    made: list[ClaimedInsight] = []
    sports, tones = SPORTS[: chance.randint(1, 3)], list(Tone)[: chance.randint(1, 3)]
    for player in range(chance.randint(1, chance.choice((2, 12)))):
        about = {"sport": chance.choice(sports), "tone": chance.choice(tones)}
        for _ in range(chance.choice((1, 1, 1, 2, 5, 9))):
            told: dict[str, Any] = {"first_name": f"Aoife{player % 5}", **about}
            if chance.random() < 0.2:
                told |= {"coach_id": "another", "tone": chance.choice(tones)}
            if chance.random() < 0.1:
                told["sport"] = chance.choice(sports)
            made.append(insight(len(made), player=player, **told))
    chance.shuffle(made)
    return made


def due(chance: random.Random) -> Due:
    """A run at random."""
    insights, model = crowd(chance), chance.choice(MODELS)
    survey = survey_of(insights)
    groups = [replace(g, arrivals_per_hour=chance.choice((0, 0.1, 5, 300))) for g in survey.groups]
    warm = dict(warm_prefixes(survey, model, chance)) if chance.random() < 0.7 else {}
    every = chance.choice((60.0, 180.0, 900.0, 7_200.0))
    limits = Limits(requests=chance.choice((None, 1, 4)))  # so few that prefixes go cold within the run
    return Due(insights, Survey(groups, warm, every), model, chance.randint(1, 8), limits)


def warm_prefixes(survey: Survey, model: str, chance: random.Random) -> Iterator[tuple[str, CacheTtl]]:
    """Some of the prefixes that are long enough to be in the cache."""
    share = chance.random()
    for group in survey.groups:
        for packed in (False, True):
            for prefix in bare_prefixes(terms(model=model), group.sport, group.tone, packed):
                if prefix.tokens >= minimum_prefix_tokens(model) and chance.random() < share:
                    yield prefix.key, chance.choice(("5m", "1h"))


runs = st.builds(due, st.randoms(use_true_random=False))
some = settings(derandomize=True, deadline=None, max_examples=20)


def markers(call: PlannedCall) -> list[str]:
    """The lifetimes of the markers in the request, in order."""
    body = call.body()
    blocks = [*body["system"], *body["messages"][0]["content"]]
    return [block["cache_control"].get("ttl", "5m") for block in blocks if "cache_control" in block]


@given(runs)
@some
def test_a_request_has_at_most_four_markers_long_ones_first_and_none_below_the_minimum(run: Due) -> None:
    for call in run.calls():
        lifetimes = markers(call)
        assert len(lifetimes) <= 4
        assert lifetimes == sorted(lifetimes)  # "1h" sorts before "5m"
        assert lifetimes == [prefix.ttl for prefix in call.marked]
        assert all(prefix.tokens >= minimum_prefix_tokens(run.model) for prefix in call.marked)


@given(runs)
@some
def test_each_insight_is_asked_about_once_and_never_beside_another_childs_or_coachs(run: Due) -> None:
    calls = run.calls()
    assert sorted(ids(calls)) == sorted(one.id for one in run.insights)
    for call in calls:
        assert 1 <= len(call.insights) == len(call.notes) <= run.insights_per_call
        together = {
            (one.organization_id, one.player_id, one.coach_id, one.sport, one.tone) for one in call.insights
        }
        assert len(together) == 1
        assert call.packed or len(call.insights) == 1


@given(runs)
@some
def test_equal_prefixes_have_equal_bytes_and_equal_lengths(run: Due) -> None:
    known: dict[str, tuple[object, ...]] = {}
    for call in run.calls():
        texts = [layer.text for layer in call.layers]
        for place, prefix in enumerate(call.prefixes, 1):
            told = (prefix.tokens, call.packed, *texts[:place])
            assert known.setdefault(prefix.key, told) == told
            assert prefix.tokens <= call.predicted.total_input_tokens


@given(runs)
@some
def test_no_plan_is_predicted_to_cost_more_than_the_one_without_markers(run: Due) -> None:
    """Where later runs are expected, this one may pay for them."""
    groups = [replace(group, arrivals_per_hour=0.0) for group in run.survey.groups]
    alone = replace(run, survey=replace(run.survey, groups=groups))
    marked, plain = alone.calls(), alone.calls("none")
    assert not any(call.marked for call in plain)
    assert sum(call.predicted.cache_read_tokens for call in plain) == 0
    assert predicted_usd(marked) <= predicted_usd(plain)


@given(runs)
@some
def test_a_run_that_may_pack_is_never_predicted_to_cost_more_than_one_that_may_not(run: Due) -> None:
    cold = replace(run, survey=survey_of(run.insights))
    assert predicted_usd(cold.calls()) <= predicted_usd(replace(cold, insights_per_call=1).calls())
