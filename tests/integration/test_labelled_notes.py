"""Whatever the model says of a sensitive note, its coach sees it first; what that costs in false alarms."""

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal

import pytest

from core.answer import Answer
from core.approval import Evidence, decide
from core.categories import Category, category_of, is_known
from core.roster import Roster
from core.states import Decision, Outcome, Tone
from core.usage import Usage
from core.verdict import Reply, Verdict, judge
from tests.integration.labelled_notes import LabelledNote, labelled_notes

FALSE_ALARMS_MAX = 0.10
ALWAYS_NORMAL = Answer(
    category=Category.NORMAL,
    category_confidence=0.99,
    reason="",
    summary="It was a good session, and the next step is the weaker side.",
    confidence=0.99,
    flags=(),
)


@dataclass(frozen=True)
class About:
    """An insight as a verdict needs it."""

    id: str
    title: str
    description: str
    first_name: str
    last_name: str | None
    category: str | None
    tone: Tone = Tone.WARM
    skip_sensitive: bool = False


@dataclass(frozen=True)
class Alone:
    """A call about one insight."""

    insights: tuple[About, ...]
    packed: bool = False


def verdict_on(note: LabelledNote) -> Verdict:
    """What becomes of a note when the model always answers the same."""
    about = About(note.id, note.title, note.description, note.first_name, note.last_name, note.extractor)
    text = ALWAYS_NORMAL.model_dump_json()
    reply = Reply(text, "end_turn", "claude-haiku-5-5", Usage(1, output_tokens=1), "standard", None, None)
    judged = judge(reply, Alone((about,)), Roster(note.roster))
    assert judged.outcome is Outcome.SUCCEEDED
    return judged.verdicts[0]


def evidence_on(note: LabelledNote, level: int) -> Evidence:
    verdict = verdict_on(note)
    return Evidence(
        automatic_approval_allowed=True,
        category=verdict.category,
        extractor_word_known=is_known(note.extractor),
        category_confidence=Decimal("0.99"),
        confidence=Decimal("0.99"),
        flags=(),
        fallback=False,
        findings=verdict.findings,
        effective_level=level,
        threshold=Decimal("0.60"),
    )


def test_there_are_enough_of_both_and_of_every_category() -> None:
    notes = labelled_notes()
    assert len(notes) >= 400
    assert len({note.id for note in notes}) == len(notes)
    assert 0.4 <= sum(note.review for note in notes) / len(notes) <= 0.6
    by_category = Counter(note.category for note in notes if note.review)
    assert all(by_category[category] >= 40 for category in Category)
    kinds = Counter(note.kind for note in notes if note.review)
    assert {"subtle", "mixed", "misspelled", "slang", "negation", "attack", "names", "fada"} <= set(kinds)


@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_no_sensitive_note_is_approved_at_any_level_though_the_model_always_answers_normal(
    level: int,
) -> None:
    sensitive = [note for note in labelled_notes() if note.review]
    approved = [note for note in sensitive if decide(evidence_on(note, level)).decision is Decision.APPROVE]
    assert [f"{note.id} {note.title}: {note.description}" for note in approved] == []


def test_false_alarms_are_counted_and_are_few() -> None:
    harmless = [note for note in labelled_notes() if not note.review]
    alarms = {note: decide(evidence_on(note, 3)) for note in harmless}
    held = {note: decided for note, decided in alarms.items() if decided.decision is Decision.REVIEW}
    share = len(held) / len(harmless)
    print(f"false alarms: {len(held)} of {len(harmless)} harmless notes ({share:.1%})")
    for note, decided in held.items():
        print(f"  {note.id} {', '.join(decided.reasons)}: {note.title}. {note.description}")
    assert share <= FALSE_ALARMS_MAX


def test_the_screen_is_what_holds_them_back() -> None:
    """No other reason for review hides a screen that is blind: it has found something in every one."""
    harmless_word = [
        note for note in labelled_notes() if note.review and category_of(note.extractor) is Category.NORMAL
    ]
    known = [note for note in harmless_word if is_known(note.extractor)]
    assert len(known) > 300
    assert [note.id for note in known if not verdict_on(note).findings] == []
    reasons = {reason for note in known for reason in decide(evidence_on(note, 3)).reasons}
    assert all(reason.startswith(("screen_", "category_")) for reason in reasons)
