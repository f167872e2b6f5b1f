"""The decision, row by row and at its edges."""

from dataclasses import fields, replace
from decimal import Decimal
from typing import Any

import pytest

from core.approval import Band, Decided, Evidence, bar, decide, preview
from core.approval import band as band_of
from core.categories import Category
from core.errors import BadInput
from core.states import Decision, Flag, Tier

CLEAN = Evidence(
    automatic_approval_allowed=True,
    category=Category.NORMAL,
    extractor_word_known=True,
    category_confidence=Decimal("0.8"),
    confidence=Decimal("0.70"),
    flags=(),
    fallback=False,
    findings=(),
    effective_level=2,
    threshold=Decimal("0.70"),
)
WORST: dict[str, Any] = {  # every doubt at once
    "category": Category.INJURY,
    "extractor_word_known": False,
    "category_confidence": Decimal("0.79"),
    "flags": ("names_other_person", "needs_context"),
    "fallback": True,
    "findings": ("wellbeing", "other_person", "behavior", "private", "wellbeing", "injury"),
}
WORST_REASONS = (
    "category_injury",
    "unknown_category",
    "low_category_confidence",
    "flag_needs_context",
    "flag_names_other_person",
    "fallback",
    "screen_behavior",
    "screen_injury",
    "screen_other_person",
    "screen_private",
    "screen_wellbeing",
)
INPUTS = [field.name for field in fields(Evidence)]


def given(**changed: Any) -> Decided:
    """Decide about a summary in which nothing is wrong but what is changed."""
    return decide(replace(CLEAN, **changed))


def reviewed(*reasons: str) -> Decided:
    return Decided(Decision.REVIEW, Tier.MANUAL_REVIEW, reasons)


def flagged(*reasons: str) -> Decided:
    return Decided(Decision.REVIEW, Tier.FLAGGED, reasons)


def approved(reason: str) -> Decided:
    return Decided(Decision.APPROVE, Tier.AUTO_SEND, (reason,))


@pytest.mark.parametrize(
    ("level", "confidence", "threshold", "expected"),
    [
        (0, "1", "0.70", reviewed("level_below_2")),
        (1, "1", "0.60", reviewed("level_below_2")),
        (2, "0.70", "0.70", approved("confidence_enough")),
        (2, "0.6999", "0.70", reviewed("confidence_below_threshold")),
        (2, "1", "1", approved("confidence_enough")),
        (2, "0.999999", "1", reviewed("confidence_below_threshold")),
        (2, "0.60", "0.60", approved("confidence_enough")),
        (3, "0.70", "0.70", approved("confidence_enough")),
        (3, "0.6999", "0.70", approved("confidence_enough_at_level_3")),
        (3, "0.60", "0.70", approved("confidence_enough_at_level_3")),
        (3, "0.599999", "0.70", reviewed("confidence_below_threshold")),
        (3, "0.60", "0.65", approved("confidence_enough_at_level_3")),  # not 0.55
        (3, "0.599999", "0.65", reviewed("confidence_below_threshold")),
        (3, "0.60", "0.60", approved("confidence_enough")),
        (3, "0.599999", "0.60", reviewed("confidence_below_threshold")),
        (3, "0.75", "0.85", approved("confidence_enough_at_level_3")),
        (3, "0.749999", "0.85", reviewed("confidence_below_threshold")),
    ],
)
def test_level_and_confidence_decide_where_nothing_is_in_doubt(
    level: int, confidence: str, threshold: str, expected: Decided
) -> None:
    found = given(effective_level=level, confidence=Decimal(confidence), threshold=Decimal(threshold))
    assert found == expected


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        *(({"category": one}, f"category_{one}") for one in Category if one is not Category.NORMAL),
        ({"extractor_word_known": False}, "unknown_category"),
        ({"category_confidence": Decimal("0.799999")}, "low_category_confidence"),
        *(({"flags": (flag,)}, f"flag_{flag}") for flag in Flag),
        ({"flags": ("needs_context",)}, "flag_needs_context"),  # as plain text, from a store
        ({"flags": ("Call me at home",)}, "flag_unknown"),
        ({"flags": ("",)}, "flag_unknown"),
        ({"fallback": True}, "fallback"),
        ({"findings": ("other_person",)}, "screen_other_person"),
        ({"findings": ("Aoife was there",)}, "screen_unknown"),
        ({"findings": ("",)}, "screen_unknown"),
    ],
)
@pytest.mark.parametrize("level", range(4))
def test_each_doubt_alone_is_flagged_whatever_the_level_with_its_reason(
    level: int, changed: dict[str, Any], reason: str
) -> None:
    assert given(effective_level=level, confidence=Decimal(1), **changed) == flagged(reason)


def test_all_doubts_are_told_each_once_and_in_a_fixed_order() -> None:
    assert given(**WORST) == flagged(*WORST_REASONS)
    assert {type(reason) for reason in given(**WORST).reasons} == {str}


def test_a_switch_comes_first_and_does_not_hide_the_doubts() -> None:
    assert given(automatic_approval_allowed=False) == reviewed("switched_off")
    assert given(automatic_approval_allowed=False, effective_level=0) == reviewed("switched_off")
    assert given(automatic_approval_allowed=False, confidence=None, **WORST) == reviewed(
        "switched_off", "missing_confidence", *WORST_REASONS
    )


def test_doubts_come_before_the_level_and_the_level_before_the_confidence() -> None:
    assert given(effective_level=1, confidence=Decimal("0.1"), fallback=True) == flagged("fallback")
    assert given(effective_level=1, confidence=Decimal("0.1")) == reviewed("level_below_2")


@pytest.mark.parametrize("name", INPUTS)
def test_an_input_that_is_missing_is_named(name: str) -> None:
    assert given(**{name: None}) == flagged(f"missing_{name}")


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("automatic_approval_allowed", 1),
        ("category", "normal"),  # not read as a category yet
        ("extractor_word_known", "yes"),
        *(
            (name, wrong)
            for name in ("category_confidence", "confidence", "threshold")
            for wrong in (*map(Decimal, ("-0.000001", "1.000001", "NaN", "sNaN", "Infinity")), 0.9, 1, "0.9")
        ),
        ("threshold", Decimal("0.599999")),
        ("flags", "needs_context"),
        ("flags", (None,)),
        ("flags", []),
        ("fallback", 0),
        ("findings", "injury"),
        ("findings", (Decimal(1),)),
        *(("effective_level", wrong) for wrong in (-1, 4, True, 2.0, "2", Decimal(2))),
    ],
)
def test_an_input_that_cannot_be_right_is_named(name: str, wrong: object) -> None:
    assert given(**{name: wrong}) == flagged(f"invalid_{name}")


def test_evidence_of_nothing_names_every_input_in_order() -> None:
    nothing = Evidence(**dict.fromkeys(INPUTS))
    assert decide(nothing) == flagged(*(f"missing_{name}" for name in INPUTS))


def test_level_3_never_asks_for_more_than_level_2_even_of_a_threshold_that_is_not_allowed() -> None:
    assert bar(1, Decimal("0.7")) is None
    for threshold in map(Decimal, ("0", "0.55", "0.60", "0.65", "0.70", "1")):
        at_two, at_three = bar(2, threshold), bar(3, threshold)
        assert at_two == threshold
        assert at_three is not None
        assert at_three <= at_two


def test_a_preview_is_what_level_2_would_say_and_there_is_none_from_there_on() -> None:
    for level in (0, 1):
        assert preview(replace(CLEAN, effective_level=level)) == decide(CLEAN)
        unsure = replace(CLEAN, effective_level=level, confidence=Decimal("0.6999"))
        assert preview(unsure) == reviewed("confidence_below_threshold")
        assert preview(replace(CLEAN, effective_level=level, **WORST)) == flagged(*WORST_REASONS)
        off = replace(CLEAN, effective_level=level, automatic_approval_allowed=False)
        assert preview(off) == reviewed("switched_off")
    for other in (2, 3, None, -1, True):
        assert preview(replace(CLEAN, effective_level=other)) is None


@pytest.mark.parametrize(
    ("confidence", "band"),
    [
        ("0", Band.LOW),
        ("0.599999", Band.LOW),
        ("0.6", Band.MEDIUM),
        ("0.799999", Band.MEDIUM),
        ("0.80", Band.HIGH),
        ("1", Band.HIGH),
    ],
)
def test_a_confidence_is_low_medium_or_high(confidence: str, band: Band) -> None:
    assert band_of(Decimal(confidence)) is band


@pytest.mark.parametrize("wrong", [Decimal("NaN"), Decimal("-0.1"), Decimal("1.1"), 0.7])
def test_what_is_no_confidence_has_no_band(wrong: Decimal) -> None:
    with pytest.raises(BadInput, match="from 0 to 1, not"):
        band_of(wrong)
