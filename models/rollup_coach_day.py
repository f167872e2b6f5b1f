"""What each coach used on each day."""

from datetime import date

from sqlmodel import Field

from models.base import ID_LENGTH
from models.usage_sums import UsageSums, counts_not_negative, staged


class RollupCoachDay(UsageSums, table=True):
    """Keyed by UTC day and by the club's own day."""

    __tablename__ = "rollup_coach_day"
    __table_args__ = counts_not_negative()

    utc_day: date = Field(primary_key=True)
    organization_id: str = Field(primary_key=True, max_length=ID_LENGTH)
    coach_id: str = Field(primary_key=True, max_length=ID_LENGTH)
    local_day: date = Field(primary_key=True)


STAGED = staged(RollupCoachDay.__table__)  # type: ignore[attr-defined]
