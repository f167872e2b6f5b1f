"""Every check of every rollup, kept: what was checked, how it ended, and what was wrong."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from core.states import CheckResult
from models.base import ID_LENGTH, checked, not_negative
from models.sql import Queries, load


class QualityCheck(SQLModel, table=True):
    """One check of one run. `failing_rows` is a sample; money in it is text, so that no digit is lost."""

    __tablename__ = "quality_check"
    __table_args__ = (*not_negative("failing"), sa.Index("ix_quality_check_time", "checked_at"))

    run_id: str = Field(primary_key=True, max_length=ID_LENGTH)
    name: str = Field(primary_key=True)  # what must hold, as models.expectations has it
    staged_table: str = Field(primary_key=True)
    critical: bool
    checked_at: datetime
    result: CheckResult = Field(sa_type=checked(CheckResult, "result"))
    failing: int = 0  # rows that fail; 0 as well when the check could not be made
    failing_rows: list[dict[str, Any]] = Field(sa_type=JSONB)
    exception: str | None = None  # why the check could not be made


QUERIES: Queries = load("quality_check.sql")
