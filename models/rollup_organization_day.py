"""What each club used on each day, by operation, model, lane and tier."""

from datetime import date

from sqlmodel import Field

from core.states import Lane, ServiceTier
from models.base import ID_LENGTH, checked
from models.usage_sums import UsageSums, counts_not_negative, staged


class RollupOrganizationDay(UsageSums, table=True):
    """Keyed by UTC day, for reconciliation, and by the club's own day, for its people.

    The UTC day stands first in the key: a day is replaced as a whole, and a range of a club is read as so
    many short scans, one a day. So it is in all rollups.
    """

    __tablename__ = "rollup_organization_day"
    __table_args__ = counts_not_negative()

    utc_day: date = Field(primary_key=True)
    organization_id: str = Field(primary_key=True, max_length=ID_LENGTH)
    local_day: date = Field(primary_key=True)
    operation: str = Field(primary_key=True)
    model: str = Field(primary_key=True)
    lane: Lane = Field(primary_key=True, sa_type=checked(Lane, "lane"))
    service_tier: ServiceTier = Field(primary_key=True, sa_type=checked(ServiceTier, "service_tier"))


STAGED = staged(RollupOrganizationDay.__table__)  # type: ignore[attr-defined]
