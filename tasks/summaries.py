"""Summaries: the row that an answer becomes."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

from core.settlement import Sent
from core.states import InsightState, SummaryState
from core.verdict import Reply, Verdict


def summary_row(
    attempt: Sent, reply: Reply, verdict: Verdict, *, rehearsal: bool, now: datetime
) -> dict[str, Any] | None:
    """Return the new summary's row, None when the answer makes none. All wait for the coach's review."""
    answer, about = verdict.answer, verdict.insight
    if verdict.state is not InsightState.SUMMARIZED or answer is None:
        return None
    return {
        "id": str(uuid4()),
        "insight_id": about.id,
        "attempt_id": attempt.attempt_id,
        "prompt_version": attempt.prompt_version,
        "model": reply.model,
        "tone": about.tone,
        "category": verdict.category,
        "model_category": answer.category,
        "category_confidence": Decimal(str(answer.category_confidence)),
        "confidence": Decimal(str(answer.confidence)),
        "reason": answer.reason,
        "flags": [flag.value for flag in answer.flags],
        "text": answer.summary,
        "state": SummaryState.PENDING_REVIEW,
        "rehearsal": rehearsal,
        "created_at": now,
    }
