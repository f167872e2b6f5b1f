"""What every decision keeps to: no trust outweighs a doubt, and more trust never hurts."""

from dataclasses import fields, replace
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from core.approval import Evidence, decide, is_share, preview
from core.categories import Category
from core.states import Decision, Flag, Tier
from core.trust import History, earned_level, effective_level, is_threshold
from tests.unit.test_approval import CLEAN

some = settings(derandomize=True, deadline=None, max_examples=100)


def between(lowest: int, highest: int) -> st.SearchStrategy[Decimal]:
    """Hundredths, and what lies right below and above them."""
    beside = st.sampled_from([Decimal(0), Decimal(0), Decimal("0.000001"), Decimal("-0.000001")])
    bounds = Decimal(lowest) / 100, Decimal(highest) / 100
    return st.builds(
        lambda hundredths, little: min(max(Decimal(hundredths) / 100 + little, bounds[0]), bounds[1]),
        st.integers(lowest, highest),
        beside,
    )


shares, thresholds = between(0, 100), between(60, 100)
not_shares = st.sampled_from([Decimal(text) for text in ("NaN", "sNaN", "-Infinity", "Infinity", "-1", "2")])
levels = st.integers(0, 3)
words = st.lists(st.sampled_from([*Flag, "other_person", "injury", "what?"]), max_size=2).map(tuple)
# Of nothing in doubt, so that the confidence decides.
clean = st.builds(
    replace,
    st.just(CLEAN),
    confidence=between(50, 100),
    category_confidence=between(80, 100),
    threshold=thresholds,
)
ANY: dict[str, st.SearchStrategy[Any]] = {
    "automatic_approval_allowed": st.none() | st.booleans(),
    "category": st.none() | st.sampled_from(Category),
    "extractor_word_known": st.none() | st.booleans(),
    "category_confidence": st.none() | shares | not_shares,
    "confidence": st.none() | shares | not_shares,
    "flags": st.none() | words,
    "fallback": st.none() | st.booleans(),
    "findings": st.none() | words,
    "effective_level": st.none() | levels | st.integers(),
    "threshold": st.none() | shares | not_shares,
}
# Any few inputs changed to anything: much of it is close to an approval.
changes = st.lists(st.sampled_from(list(ANY)), max_size=3, unique=True).flatmap(
    lambda names: st.fixed_dictionaries({name: ANY[name] for name in names})
)
anything = st.builds(
    lambda sound, level, changed: replace(sound, **{"effective_level": level, **changed}),
    clean,
    st.sampled_from([0, 1, 2, 2, 3, 3]),
    changes,
)


def is_approved(evidence: Evidence) -> bool:
    return decide(evidence).decision is Decision.APPROVE


def test_the_strategies_know_every_input() -> None:
    assert list(ANY) == [field.name for field in fields(Evidence)]


@given(anything)
@some
def test_only_what_is_beyond_every_doubt_is_approved(evidence: Evidence) -> None:
    """The table stated again, as all that an approval needs."""
    level, confidence, threshold = evidence.effective_level, evidence.confidence, evidence.threshold
    beyond_doubt = (
        evidence.automatic_approval_allowed is True
        and evidence.category is Category.NORMAL
        and evidence.extractor_word_known is True
        and is_share(evidence.category_confidence)
        and evidence.category_confidence >= Decimal("0.8")  # type: ignore[operator]
        and evidence.flags == ()
        and evidence.fallback is False
        and evidence.findings == ()
        and is_share(confidence)
        and is_threshold(threshold)
    )
    allowed = {2: Decimal(0), 3: Decimal("0.10")}.get(level) if level is not None else None
    is_sure = (
        beyond_doubt
        and allowed is not None
        and confidence >= threshold - allowed  # type: ignore[operator]
        and confidence >= Decimal("0.60")  # type: ignore[operator]
    )
    assert is_approved(evidence) == is_sure


@given(anything)
@some
def test_every_decision_has_reasons_and_only_what_is_approved_is_sent(evidence: Evidence) -> None:
    decided = decide(evidence)
    assert decided.reasons
    assert len(set(decided.reasons)) == len(decided.reasons)
    assert (decided.tier is Tier.AUTO_SEND) == (decided.decision is Decision.APPROVE)
    if evidence.automatic_approval_allowed is False:
        assert (decided.tier, decided.reasons[0]) == (Tier.MANUAL_REVIEW, "switched_off")
    assert decide(evidence) == decided


@given(clean, levels, st.sampled_from([one for one in Category if one is not Category.NORMAL]))
@some
def test_a_category_worse_than_normal_is_never_approved_by_itself(
    sound: Evidence, level: int, category: Category
) -> None:
    assert not is_approved(replace(sound, effective_level=level, confidence=Decimal(1), category=category))


@given(anything, st.sampled_from(list(ANY)))
@some
def test_a_missing_input_never_approves_and_is_named(evidence: Evidence, name: str) -> None:
    decided = decide(replace(evidence, **{name: None}))
    assert decided.decision is Decision.REVIEW
    assert f"missing_{name}" in decided.reasons
    assert decided.tier is Tier.FLAGGED or decided.reasons[0] == "switched_off"


@given(anything, st.sampled_from(["category_confidence", "confidence", "threshold"]), not_shares)
@some
def test_an_input_out_of_its_range_or_no_number_never_approves_and_is_named(
    evidence: Evidence, name: str, wrong: Decimal
) -> None:
    changed: dict[str, Any] = {name: wrong}
    decided = decide(replace(evidence, **changed))
    assert decided.decision is Decision.REVIEW
    assert f"invalid_{name}" in decided.reasons


@given(clean | anything, levels, levels)
@some
def test_more_trust_never_turns_an_approval_into_a_review(evidence: Evidence, one: int, other: int) -> None:
    less, more = (is_approved(replace(evidence, effective_level=level)) for level in sorted((one, other)))
    assert more >= less


@given(clean, shares, shares, st.sampled_from([2, 3]))
@some
def test_more_confidence_never_turns_an_approval_into_a_review(
    sound: Evidence, one: Decimal, other: Decimal, level: int
) -> None:
    less, more = (
        is_approved(replace(sound, effective_level=level, confidence=confidence))
        for confidence in sorted((one, other))
    )
    assert more >= less


@given(clean, thresholds, thresholds, st.sampled_from([2, 3]))
@some
def test_a_lower_threshold_never_turns_an_approval_into_a_review(
    sound: Evidence, one: Decimal, other: Decimal, level: int
) -> None:
    strict, lenient = (
        is_approved(replace(sound, effective_level=level, threshold=threshold))
        for threshold in sorted((one, other), reverse=True)
    )
    assert lenient >= strict


@given(clean, st.integers(0, 300), st.integers(0, 40), levels, st.none() | levels)
@some
def test_a_preference_lowered_and_restored_restores_the_decision(
    sound: Evidence, approvals: int, suppressions: int, lowered: int, preferred: int | None
) -> None:
    def decided(preference: int | None) -> object:
        earned = earned_level(History(approvals, suppressions))
        return decide(replace(sound, effective_level=effective_level(earned, preference)))

    before = decided(preferred)
    decided(lowered)
    assert decided(preferred) == before


@given(anything)
@some
def test_a_preview_is_the_decision_at_level_2_and_only_made_below_it(evidence: Evidence) -> None:
    found = preview(evidence)
    if evidence.effective_level in (0, 1):
        assert found == decide(replace(evidence, effective_level=2))
    else:
        assert found is None
