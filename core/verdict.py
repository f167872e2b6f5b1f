"""What an answer is worth, and what becomes of its insight: pure, from the reply and the insight's facts."""

from dataclasses import dataclass

from core.answer import Answer, UnusableAnswer, parse_answer
from core.categories import SENSITIVE, Category, category_of, most_severe
from core.plan import ClaimedInsight
from core.states import InsightState, Outcome, SkipReason
from core.usage import Usage

CUT_SHORT = frozenset({"max_tokens", "model_context_window_exceeded"})


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
    """`outcome` is the ledger's word for the attempt, `state` what becomes of the insight if it ends here."""

    outcome: Outcome
    reason: str | None  # a fixed word, when the answer is not used
    state: InsightState
    state_reason: str | None
    answer: Answer | None = None
    category: Category | None = None  # the one that counts


def judge(reply: Reply, insight: ClaimedInsight) -> Verdict:
    """Judge a reply. Fails closed: whatever is not a whole, valid answer is parked unless asked for again."""
    if reply.stop_reason == "refusal":
        return Verdict(Outcome.REFUSED, "refusal", InsightState.PARKED, "refusal")
    if reply.stop_reason in CUT_SHORT:
        return _unusable("truncated")
    try:
        answer = parse_answer(reply.text)
    except UnusableAnswer as unusable:
        return _unusable(unusable.reason)
    category = most_severe(category_of(insight.category), answer.category)
    if insight.skip_sensitive and category in SENSITIVE:
        return Verdict(Outcome.SUCCEEDED, None, InsightState.SKIPPED, SkipReason.SENSITIVE, answer, category)
    return Verdict(Outcome.SUCCEEDED, None, InsightState.SUMMARIZED, None, answer, category)


def _unusable(reason: str) -> Verdict:
    return Verdict(Outcome.UNUSABLE, reason, InsightState.PARKED, f"answer_{reason}")
