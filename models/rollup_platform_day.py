"""What all clubs together used on each day, by operation, model, lane and tier: for questions about years."""

from datetime import date

from sqlmodel import Field

from core.states import Lane, ServiceTier
from models.base import checked
from models.usage_sums import UsageSums, counts_not_negative, staged


class RollupPlatformDay(UsageSums, table=True):
    """Keyed by UTC day alone: the platform's people read no other."""

    __tablename__ = "rollup_platform_day"
    __table_args__ = counts_not_negative()

    utc_day: date = Field(primary_key=True)
    operation: str = Field(primary_key=True)
    model: str = Field(primary_key=True)
    lane: Lane = Field(primary_key=True, sa_type=checked(Lane, "lane"))
    service_tier: ServiceTier = Field(primary_key=True, sa_type=checked(ServiceTier, "service_tier"))


STAGED = staged(RollupPlatformDay.__table__)  # type: ignore[attr-defined]
