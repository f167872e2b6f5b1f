"""Sensitivity categories by severity, and where the extractor's own words fall."""

from enum import StrEnum


class Category(StrEnum):
    """What a note is about, as far as its sensitivity goes; most severe first."""

    SAFEGUARDING = "safeguarding"
    INJURY = "injury"
    WELLBEING = "wellbeing"
    BEHAVIOR = "behavior"
    PRIVATE = "private"
    NORMAL = "normal"


_BY_SEVERITY = tuple(Category)
_EXTRACTOR_WORDS = {
    "injury": Category.INJURY,
    "recovery": Category.INJURY,
    "wellbeing": Category.WELLBEING,
    "behavior": Category.BEHAVIOR,
    "parent_communication": Category.PRIVATE,
}
_HARMLESS_WORDS = frozenset(
    {
        "skill_rating",
        "skill_progress",
        "performance",
        "tactical",
        "attendance",
        "team_culture",
        "todo",
        "development_milestone",
        "physical_development",
        "session_plan",
        "absent",
    }
)
SENSITIVE = frozenset({Category.INJURY, Category.BEHAVIOR})  # what `skip_sensitive` keeps back
SENSITIVE_WORDS = tuple(sorted(word for word, meaning in _EXTRACTOR_WORDS.items() if meaning in SENSITIVE))


def category_of(extractor_word: str | None) -> Category:
    """Map the extractor's category to ours; any word that is not known counts as normal here."""
    return _EXTRACTOR_WORDS.get(extractor_word or "", Category.NORMAL)


def is_known(extractor_word: str | None) -> bool:
    """Say whether the extractor's category is one that the season format names; none at all is."""
    return extractor_word is None or extractor_word in _EXTRACTOR_WORDS or extractor_word in _HARMLESS_WORDS


def most_severe(*categories: Category) -> Category:
    """Return the most severe of the given categories: the one that counts."""
    return min(categories, key=_BY_SEVERITY.index)
