"""How good the answers to the labelled notes are: scored by rules, added up, and nothing but values."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from core.answer import Answer
from core.bill import Bill
from core.calls import PlannedCall
from core.claimed import ClaimedInsight
from core.evaluation_rules import RULES, applies
from core.labelled import Case
from core.measured import Measured
from core.pages import plan_calls
from core.plan import Terms
from core.settlement import predicted_entry
from core.tally import bill_of_run

FIXED_NAME = "evaluation"  # of organization, coach and player on the ledger: no real one has these calls
ANSWERED = "answered"  # the rule before all others: there is an answer to look at
NO_ANSWER = "no answer"
STOPPED = "stopped"  # the run ended before this case had its reply


@dataclass(frozen=True, slots=True)
class Response:
    """What came back for a case; `output_tokens` is None when the API gave no reply at all."""

    answer: Answer | None
    reason: str | None  # why there is no answer: refusal, truncated, outage, ...
    output_tokens: int | None


@dataclass(frozen=True, slots=True)
class Check:
    """One rule held against one answer; `detail` says what is wrong."""

    rule: str
    passed: bool
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Scored:
    """A case with its response, and every rule that could be held against it."""

    case: Case
    response: Response
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """True when every rule is kept."""
        return all(check.passed for check in self.checks)

    @property
    def unheard(self) -> bool:
        """True when the API gave no reply at all: it says nothing of the model."""
        return self.response.output_tokens is None

    def to_json(self) -> dict[str, Any]:
        """Return the id, the label, the answer and the checks: never the note."""
        answer = self.response.answer
        return {
            "id": self.case.id,
            "passed": self.passed,
            "expected_category": self.case.category,
            "answer": answer.model_dump(mode="json") if answer else None,
            "reason": self.response.reason,
            "output_tokens": self.response.output_tokens,
            "checks": [asdict(check) for check in self.checks],
        }


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All scored cases of one model, and what asking it cost."""

    model: str
    prompt_versions: Mapping[str, str]  # by sport and tone
    scored: tuple[Scored, ...]
    bill: Bill

    @property
    def passed(self) -> int:
        """How many cases keep every rule."""
        return sum(one.passed for one in self.scored)

    @property
    def unheard(self) -> int:
        """How many cases the API gave no reply to."""
        return sum(one.unheard for one in self.scored)

    def rules(self) -> dict[str, dict[str, float | None]]:
        """Count, for each rule, the answers that it was held against, and the share that keeps it."""
        counts = Counter((check.rule, check.passed) for one in self.scored for check in one.checks)
        return {
            rule: {
                "passed": counts[rule, True],
                "failed": counts[rule, False],
                "share": _share(counts[rule, True], counts[rule, True] + counts[rule, False]),
            }
            for rule in (ANSWERED, *RULES)
        }

    def categories(self) -> dict[str, dict[str, int]]:
        """Count what each expected category was answered with."""
        table: dict[str, Counter[str]] = {}
        for one in self.scored:
            answer = one.response.answer
            table.setdefault(one.case.category, Counter())[answer.category if answer else NO_ANSWER] += 1
        return {expected: dict(answered) for expected, answered in table.items()}

    def output_tokens(self) -> dict[str, float]:
        """Return the mean, and the 95th percentile by nearest rank, of all replies heard; 0 without any."""
        tokens = sorted(n for one in self.scored if (n := one.response.output_tokens) is not None)
        if not tokens:
            return {"mean": 0.0, "p95": 0}
        rank = -(-95 * len(tokens) // 100)
        return {"mean": round(sum(tokens) / len(tokens), 1), "p95": tokens[rank - 1]}

    def to_json(self) -> dict[str, Any]:
        """Return the scores and the bill, without the single cases."""
        return {
            "model": self.model,
            "prompt_versions": dict(self.prompt_versions),
            "cases": len(self.scored),
            "passed": self.passed,
            "rules": self.rules(),
            "categories": self.categories(),
            "output_tokens": self.output_tokens(),
            "bill": self.bill.to_json(),
        }


def plan_cases(cases: Iterable[Case], *, model: str, now: datetime) -> tuple[PlannedCall, ...]:
    """Plan one call for each case, in a run's order and with its markers."""
    terms = Terms(model, now, Measured(model))
    chunks = plan_calls((_as_insight(case, now) for case in cases), terms)
    return tuple(call for chunk in chunks for call in chunk.calls)


def predicted_bill(calls: Sequence[PlannedCall], now: datetime) -> Bill:
    """Return what the planned calls are expected to cost."""
    return bill_of_run(predicted_entry(call, now) for call in calls)


def evaluation_of(
    cases: Iterable[Case],
    calls: Iterable[PlannedCall],
    responses: Mapping[str, Response],
    *,
    model: str,
    bill: Bill,
) -> Evaluation:
    """Score every case; the run was stopped before one that has no response."""
    stopped = Response(None, STOPPED, None)
    versions = {f"{call.about.sport}/{call.about.tone}": call.prompt_version for call in calls}
    return Evaluation(
        model=model,
        prompt_versions=dict(sorted(versions.items())),
        scored=tuple(score(case, responses.get(case.id, stopped)) for case in cases),
        bill=bill,
    )


def score(case: Case, response: Response) -> Scored:
    """Hold every rule against an answer; without one, the case fails for the reason given."""
    if response.answer is None:
        return Scored(case, response, (Check(ANSWERED, False, response.reason),))
    checks = [Check(ANSWERED, True)]
    for name, rule in RULES.items():
        if applies(name, case):
            wrong = rule(case, response.answer)
            checks.append(Check(name, wrong is None, wrong))
    return Scored(case, response, tuple(checks))


def _as_insight(case: Case, now: datetime) -> ClaimedInsight:
    """Dress a case as what a run has claimed; no word of the extractor's helps the model's category."""
    return ClaimedInsight(
        id=case.id,
        organization_id=FIXED_NAME,
        coach_id=FIXED_NAME,
        player_id=FIXED_NAME,
        title=case.title,
        description=case.description,
        category=None,
        created_at=now,
        sport=case.sport,
        player_sport=case.sport,
        tone=case.tone,
        skip_sensitive=False,
        first_name=case.first_name,
        last_name=case.last_name,
        age_group=case.age_group,
        date_of_birth=None,
        team=case.team,
        position=case.position,
    )


def _share(part: int, whole: int) -> float | None:
    """Return a ratio in 0..1; None when a rule was held against nothing."""
    return round(part / whole, 4) if whole else None
