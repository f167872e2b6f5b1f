"""May a summary go out without its coach's review? A decision from evidence, and why.

Everything that is missing, out of its range or in doubt means review. The reasons are fixed words, stored
with the decision and shown; they come in this order, and never hold any text of a note or a summary:

| reason | when |
|---|---|
| `switched_off` | automatic approval is off for the platform or the organisation |
| `missing_<input>`, `invalid_<input>` | an input is not there, or cannot be right; as ordered in `Evidence` |
| `category_<category>` | the category that counts is not normal |
| `unknown_category` | the extractor's word for it is not one of ours |
| `low_category_confidence` | the model is less than 0.8 sure of its category |
| `flag_<flag>` | the model doubts its own answer; `flag_unknown`: by a word that is none of `Flag` |
| `fallback` | it was not answered the way it was asked for |
| `screen_<finding>` | what the screen found, by the alphabet; `screen_unknown`: by no fixed word |
| `level_below_2` | the coach's effective level approves nothing by itself |
| `confidence_below_threshold` | of the effective level |
| `confidence_enough` | approved: the threshold is reached |
| `confidence_enough_at_level_3` | approved: only what level 3 allows for is reached |
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from core.categories import Category
from core.errors import BadInput
from core.states import Decision, Flag, Tier
from core.trust import LEVEL_MAX, THRESHOLD_MIN, is_threshold

AUTOMATIC_LEVEL = 2  # from here on summaries may go out by themselves
CATEGORY_CONFIDENCE_MIN = Decimal("0.8")
LEVEL_3_ALLOWS = Decimal("0.10")  # that much below the threshold

_FIXED_WORD = re.compile(r"[a-z][a-z_]{0,39}")


class Reason(StrEnum):
    """The reasons that are one word each; the others begin with the name of their kind (see above)."""

    SWITCHED_OFF = "switched_off"  # a switch of the platform or the organisation
    UNKNOWN_CATEGORY = "unknown_category"  # the extractor's word is not known
    LOW_CATEGORY_CONFIDENCE = "low_category_confidence"  # below 0.8
    FALLBACK = "fallback"  # answered by a fallback model, or in any way that was not asked for
    LEVEL_BELOW_2 = "level_below_2"  # not trusted yet, or not wanted
    CONFIDENCE_BELOW_THRESHOLD = "confidence_below_threshold"  # below what the level asks for
    CONFIDENCE_ENOUGH = "confidence_enough"  # at the threshold or above
    CONFIDENCE_ENOUGH_AT_LEVEL_3 = "confidence_enough_at_level_3"  # below the threshold, within the allowance


class Band(StrEnum):
    """A confidence in a word, for people."""

    LOW = "low"  # below 0.6
    MEDIUM = "medium"  # from 0.6 to below 0.8
    HIGH = "high"  # from 0.8


BAND_MEDIUM_MIN = THRESHOLD_MIN
BAND_HIGH_MIN = Decimal("0.80")


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything the decision may look at; None: not known, which is a reason for review."""

    automatic_approval_allowed: bool | None  # by the switches of the platform and the organisation together
    category: Category | None  # the most severe of the extractor's, the model's and the screen's
    extractor_word_known: bool | None  # no word at all is a known one
    category_confidence: Decimal | None  # 0..1
    confidence: Decimal | None  # 0..1
    flags: tuple[str, ...] | None  # the model's own
    fallback: bool | None  # answered by a fallback model, or in any way that was not asked for
    findings: tuple[str, ...] | None  # the screen's fixed words; None: no screen was made
    effective_level: int | None  # 0..3
    threshold: Decimal | None  # the one that counts, 0.60..1


@dataclass(frozen=True, slots=True)
class Decided:
    """What was decided, and by which reasons: at least one."""

    decision: Decision
    tier: Tier
    reasons: tuple[str, ...]


def decide(evidence: Evidence) -> Decided:
    """Decide about a summary; the first condition that holds wins, and what is in doubt is reviewed.

    The reasons are all that hold of the deciding condition, and all doubts. It raises nothing.
    """
    faults = _faults(evidence)
    sound = replace(evidence, **dict.fromkeys(faults))
    doubts = (*(f"{fault}_{name}" for name, fault in faults.items()), *_doubts(sound))
    if sound.automatic_approval_allowed is False:
        return _decided(Tier.MANUAL_REVIEW, Reason.SWITCHED_OFF, *doubts)
    if doubts:
        return _decided(Tier.FLAGGED, *doubts)
    return _by_trust(sound.confidence, sound.effective_level, sound.threshold)


def preview(evidence: Evidence) -> Decided | None:
    """Return what `decide` would say at level 2, everything else equal.

    None when there is nothing to preview: from level 2 on, and when the level is not known.
    """
    level = evidence.effective_level
    if level is None or not _is_level(level) or level >= AUTOMATIC_LEVEL:
        return None
    return decide(replace(evidence, effective_level=AUTOMATIC_LEVEL))


def bar(level: int, threshold: Decimal) -> Decimal | None:
    """Return the confidence from which a level approves by itself; None: it approves nothing.

    Level 3 allows for 0.10 less, but not below 0.60, and never asks for more than level 2 does.
    """
    if level < AUTOMATIC_LEVEL:
        return None
    if level == AUTOMATIC_LEVEL:
        return threshold
    return min(threshold, max(threshold - LEVEL_3_ALLOWS, THRESHOLD_MIN))


def band(confidence: Decimal) -> Band:
    """Return a confidence in a word. Raises BadInput unless it is a Decimal in 0..1."""
    if not is_share(confidence):
        raise BadInput(f"A confidence is from 0 to 1, not {confidence}.")
    if confidence < BAND_MEDIUM_MIN:
        return Band.LOW
    return Band.MEDIUM if confidence < BAND_HIGH_MIN else Band.HIGH


def is_share(value: object) -> bool:
    """Say whether a value is a Decimal in 0..1; a float is none, as 0.7 would lie below 0.70."""
    return isinstance(value, Decimal) and value.is_finite() and 0 <= value <= 1


def _is_level(value: object) -> bool:
    return type(value) is int and 0 <= value <= LEVEL_MAX


def _is_yes_or_no(value: object) -> bool:
    return isinstance(value, bool)


def _are_words(value: object) -> bool:
    return isinstance(value, tuple) and all(isinstance(word, str) for word in value)


_IS_SOUND: Mapping[str, Callable[[object], bool]] = {  # for each input, in the order of `Evidence`
    "automatic_approval_allowed": _is_yes_or_no,
    "category": lambda value: isinstance(value, Category),
    "extractor_word_known": _is_yes_or_no,
    "category_confidence": is_share,
    "confidence": is_share,
    "flags": _are_words,
    "fallback": _is_yes_or_no,
    "findings": _are_words,
    "effective_level": _is_level,
    "threshold": is_threshold,
}


def _faults(evidence: Evidence) -> dict[str, str]:
    """Return the inputs that cannot be used, each with what is wrong with it."""
    values = ((name, getattr(evidence, name), is_sound) for name, is_sound in _IS_SOUND.items())
    return {
        name: "missing" if value is None else "invalid"
        for name, value, is_sound in values
        if not is_sound(value)
    }


def _doubts(sound: Evidence) -> Iterator[str]:
    """Give every reason for a look that the inputs hold; those that cannot be used are None."""
    if sound.category is not None and sound.category is not Category.NORMAL:
        yield f"category_{sound.category}"
    if sound.extractor_word_known is False:
        yield Reason.UNKNOWN_CATEGORY
    if sound.category_confidence is not None and sound.category_confidence < CATEGORY_CONFIDENCE_MIN:
        yield Reason.LOW_CATEGORY_CONFIDENCE
    flags = set(sound.flags or ())
    yield from (f"flag_{flag}" for flag in Flag if flag in flags)
    if flags - set(Flag):
        yield "flag_unknown"
    if sound.fallback:
        yield Reason.FALLBACK
    yield from sorted({_screened(finding) for finding in sound.findings or ()})


def _screened(finding: str) -> str:
    return f"screen_{finding if _FIXED_WORD.fullmatch(finding) else 'unknown'}"


def _by_trust(confidence: Decimal | None, level: int | None, threshold: Decimal | None) -> Decided:
    """Decide where nothing is in doubt; an input that is not known approves nothing here, too."""
    reached = None if level is None or threshold is None else bar(level, threshold)
    if reached is None or threshold is None or confidence is None:
        return _decided(Tier.MANUAL_REVIEW, Reason.LEVEL_BELOW_2)
    if confidence < reached:
        return _decided(Tier.MANUAL_REVIEW, Reason.CONFIDENCE_BELOW_THRESHOLD)
    reason = Reason.CONFIDENCE_ENOUGH if confidence >= threshold else Reason.CONFIDENCE_ENOUGH_AT_LEVEL_3
    return _decided(Tier.AUTO_SEND, reason)


def _decided(tier: Tier, *reasons: str) -> Decided:
    """Put a decision together; its reasons are plain texts, as a list for the database may not be mixed."""
    decision = Decision.APPROVE if tier is Tier.AUTO_SEND else Decision.REVIEW
    return Decided(decision, tier, tuple(str(reason) for reason in reasons))
