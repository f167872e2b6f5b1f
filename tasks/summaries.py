"""Summaries: the row that an answer becomes, decided about and stored with its first event."""

import json
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from core.approval import Evidence, decide, preview
from core.categories import is_known
from core.club import AUTOMATIC_APPROVAL, permitted
from core.pricing import same_model
from core.settlement import Sent
from core.states import Decision, InsightState
from core.transitions import created
from core.trust import History, earned_level, effective_level, threshold_that_counts
from core.verdict import Reply, Verdict
from models import coach_trust, summary
from models.summary_event import ACTOR_RULES

STORED = Decimal("0.000001")  # a confidence is decided on as stored: cut to so many digits, never rounded up

Row = dict[str, Any]

logger = logging.getLogger("touchline.summaries")


def summary_row(
    attempt: Sent, reply: Reply, verdict: Verdict, *, rehearsal: bool, now: datetime
) -> Row | None:
    """Return the new summary's row, None when the answer makes none; what is decided about it comes later."""
    answer, about = verdict.answer, verdict.insight
    if verdict.state is not InsightState.SUMMARIZED or answer is None:
        return None
    if verdict.findings is None:
        logger.error("the screen failed on insight %s: its summary is for review", about.id)
    return {
        "id": str(uuid4()),
        "insight_id": about.id,
        "attempt_id": attempt.attempt_id,
        "prompt_version": attempt.prompt_version,
        "model": reply.model,
        "tone": about.tone,
        "category": verdict.category,
        "model_category": answer.category,
        "category_confidence": Decimal(str(answer.category_confidence)).quantize(STORED, ROUND_FLOOR),
        "confidence": Decimal(str(answer.confidence)).quantize(STORED, ROUND_FLOOR),
        "reason": answer.reason,
        "flags": [flag.value for flag in answer.flags],
        "text": answer.summary,
        "rehearsal": rehearsal,
        "created_at": now,
        "extractor_word_known": is_known(about.category),
        "fallback": not same_model(attempt.model, reply.model),
        "findings": None if verdict.findings is None else list(verdict.findings),
    }


async def store_summaries(connection: AsyncConnection, rows: Sequence[Row], *, revocation: timedelta) -> None:
    """Decide about new summaries and store them, each with its event, as their attempts are settled."""
    asked = {"insight_ids": [row["insight_id"] for row in rows], "switch": AUTOMATIC_APPROVAL.name}
    found = await connection.execute(coach_trust.QUERIES["deciding"], asked)
    standing = {row.insight_id: row for row in found}
    decided = [row | _decided(row, standing[row["insight_id"]], revocation) for row in rows]
    values = {"summaries": json.dumps(decided, default=str), "actor": ACTOR_RULES}
    await connection.execute(summary.QUERIES["store"], values)


def evidence_of(row: Mapping[str, Any], coach: sa.Row[Any]) -> Evidence:
    """Return what the decision about a summary rests on: its row, and what its coach stands at."""
    earned = earned_level(History(coach.approvals, coach.suppressions))
    return Evidence(
        automatic_approval_allowed=coach.summaries_enabled  # else switched off since it was claimed
        and permitted(AUTOMATIC_APPROVAL, coach.platform_switch, coach.own_switch),
        category=row["category"],
        extractor_word_known=row["extractor_word_known"],
        category_confidence=row["category_confidence"],
        confidence=row["confidence"],
        flags=tuple(row["flags"]),
        fallback=row["fallback"],
        findings=None if row["findings"] is None else tuple(row["findings"]),
        effective_level=effective_level(earned, coach.preferred_level),
        threshold=threshold_that_counts(coach.learned_threshold, coach.own_threshold),
    )


def _decided(row: Row, coach: sa.Row[Any], revocation: timedelta) -> Row:
    evidence = evidence_of(row, coach)
    decided, previewed = decide(evidence), preview(evidence)
    approved = decided.decision is Decision.APPROVE
    inputs = {name: getattr(evidence, name) for name in Evidence.__slots__}
    return {
        "state": created(decided.decision),
        "decision": decided.decision,
        "tier": decided.tier,
        "decision_reasons": list(decided.reasons),
        "evidence": inputs | {"approvals": coach.approvals, "suppressions": coach.suppressions},
        "preview": previewed and previewed.decision,
        "revocable_until": row["created_at"] + revocation if approved else None,
    }
