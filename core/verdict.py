"""What an answer is worth, and what becomes of its insight: pure, from the reply and the insight's facts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from core.answer import Answer, UnusableAnswer, parse_answer, parse_pack
from core.calls import note_ids
from core.categories import SENSITIVE, Category, category_of, most_severe
from core.roster import Roster
from core.screening import Child, screen_note, screen_summary
from core.states import InsightState, Outcome, SkipReason, Tone
from core.usage import Usage

CUT_SHORT = frozenset({"max_tokens", "model_context_window_exceeded"})
ANSWER = "answer_"  # begins the reason of an insight that is parked for its answer
SOME_UNUSABLE = "some_unusable"  # a pack of which some insights are asked about again


class Subject(Protocol):
    """What must be known of an insight to judge an answer about it."""

    @property
    def id(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def first_name(self) -> str: ...
    @property
    def last_name(self) -> str | None: ...
    @property
    def category(self) -> str | None: ...
    @property
    def skip_sensitive(self) -> bool: ...
    @property
    def tone(self) -> Tone: ...


class Question(Protocol):
    """What was asked: about which insights, in the order of their notes, and in which form."""

    @property
    def insights(self) -> Sequence[Subject]: ...
    @property
    def packed(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of the API, whatever it is worth."""

    text: str
    stop_reason: str | None
    model: str  # as answered
    usage: Usage
    service_tier: str
    inference_geo: str | None
    request_id: str | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one insight has got from a reply, and what becomes of it if it is not asked about again."""

    insight: Subject
    state: InsightState
    state_reason: str | None
    answer: Answer | None = None  # None: there is nothing to use
    category: Category | None = None  # the one that counts
    findings: tuple[str, ...] | None = None  # of the screen, by fixed words; None: nothing was screened


@dataclass(frozen=True, slots=True)
class Judged:
    """`outcome` and `reason` (a fixed word) are the ledger's of the attempt; one verdict for each insight."""

    outcome: Outcome
    reason: str | None
    verdicts: tuple[Verdict, ...]

    @property
    def unanswered(self) -> tuple[str, ...]:
        """The ids of the insights that got nothing to use."""
        return tuple(verdict.insight.id for verdict in self.verdicts if verdict.answer is None)


def judge(reply: Reply, call: Question, roster: Roster) -> Judged:
    """Judge a reply, with the names of the club's people to look for.

    Fails closed: whatever is not a whole, valid answer is parked unless asked for again.
    """
    if reply.stop_reason == "refusal":
        return _nothing(call, Outcome.REFUSED, "refusal", "refusal")
    if reply.stop_reason in CUT_SHORT:
        return _nothing(call, Outcome.UNUSABLE, "truncated", "answer_truncated")
    verdicts = tuple(
        _verdict(insight, answer, roster)
        for insight, answer in zip(call.insights, _answers(reply.text, call), strict=True)
    )
    unusable = [verdict.state_reason for verdict in verdicts if verdict.answer is None]
    if len(unusable) == len(verdicts):
        return Judged(Outcome.UNUSABLE, str(unusable[0]).removeprefix(ANSWER), verdicts)
    return Judged(Outcome.SUCCEEDED, SOME_UNUSABLE if unusable else None, verdicts)


def _answers(text: str, call: Question) -> list[Answer | UnusableAnswer]:
    if call.packed:
        ids = note_ids(len(call.insights))
        answers = parse_pack(text, ids)
        return [answers[note_id] for note_id in ids]
    try:
        return [parse_answer(text)]
    except UnusableAnswer as unusable:
        return [unusable]


def _verdict(insight: Subject, answer: Answer | UnusableAnswer, roster: Roster) -> Verdict:
    if isinstance(answer, UnusableAnswer):
        return Verdict(insight, InsightState.PARKED, ANSWER + answer.reason)
    screened, findings = _screened(insight, answer, roster)
    category = most_severe(category_of(insight.category), answer.category, screened)
    if insight.skip_sensitive and category in SENSITIVE:
        return Verdict(insight, InsightState.SKIPPED, SkipReason.SENSITIVE, answer, category, findings)
    return Verdict(insight, InsightState.SUMMARIZED, None, answer, category, findings)


def _screened(insight: Subject, answer: Answer, roster: Roster) -> tuple[Category, tuple[str, ...] | None]:
    """Screen note and summary; a screen that fails on them finds nothing out, which is for the coach."""
    child = Child(insight.first_name, insight.last_name)
    said = f"{insight.title}\n{insight.description}"
    try:
        note = screen_note(insight.title, insight.description, child, roster)
        text = screen_summary(answer.summary, said, child, roster, insight.tone)
    except Exception:  # noqa: BLE001 - whatever it is: the answer is paid for, and is stored as not screened
        return Category.NORMAL, None
    findings = dict.fromkeys(finding.value for finding in (*note.findings, *text.findings))
    return most_severe(note.category, text.category), tuple(findings)


def _nothing(call: Question, outcome: Outcome, reason: str, state_reason: str) -> Judged:
    parked = (Verdict(insight, InsightState.PARKED, state_reason) for insight in call.insights)
    return Judged(outcome, reason, tuple(parked))
