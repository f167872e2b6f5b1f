"""The cost of a call shared out to the insights that it was made for: parts that add up to the whole."""

from collections.abc import Sequence
from decimal import Decimal

STEP = Decimal("1e-12")  # the ledger's


def shared_out(cost_usd: Decimal, insight_ids: Sequence[str]) -> dict[str, Decimal]:
    """Share a cost equally, in whole steps of the ledger; what is left over goes to the first by id.

    A pack's insights are one player's and one coach's, and answers are of like length: equal parts are fair,
    and they do not depend on what can no longer be measured. No insights take no share.
    """
    if not insight_ids:
        return {}
    first, *others = sorted(insight_ids)
    part = (cost_usd / len(insight_ids)).quantize(STEP, rounding="ROUND_FLOOR")
    return {first: cost_usd - part * len(others), **dict.fromkeys(others, part)}
