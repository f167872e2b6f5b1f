"""The run that is checked, and the rows that show why a check of it does not hold."""

import re
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa

from core.errors import BadInput
from core.evaluation import FIXED_NAME
from core.quality import ready_for_json
from models.expectations import Claim, NoRows, NotNegative, NotNull, OneOf, Unique
from models.quality_check import QUERIES
from models.tables import metadata

SAMPLE_ROWS = 20
RUN_ID = re.compile(r"[0-9a-f-]{1,64}")
# What the queries of quality_check.sql are about.
STAGED = "WITH staged AS (SELECT * FROM {table} WHERE run_id = :run_id) "


@dataclass(frozen=True, slots=True)
class Night:
    """The run that is checked, and the day on which it is."""

    run_id: str
    today: date

    def __post_init__(self) -> None:
        if not RUN_ID.fullmatch(self.run_id):
            raise BadInput(f"A run's id is made of 0-9, a-f and -, and {self.run_id!r} is not.")

    def batch(self, table: str) -> str:
        """Return the query for what the run has staged of a table, its values written out."""
        return f"SELECT * FROM {table} WHERE run_id = '{self.run_id}'"  # noqa: S608 - both are known to be plain

    def bind(self, query: str) -> sa.TextClause:
        """Give a query the values that it asks for."""
        values = {"run_id": self.run_id, "today": self.today, "evaluation": FIXED_NAME}
        text = sa.text(query)
        return text.bindparams(**{name: values[name] for name in text.compile().params})


def count_and_sample(
    connection: sa.Connection, night: Night, table: str, claim: Claim
) -> tuple[int, tuple[dict[str, Any], ...]]:
    """Return how many rows a claim does not hold for, and the first of them, ready for JSON."""
    wrong = _wrong_rows(metadata.tables[table], claim, night).subquery()
    number = connection.scalar(sa.select(sa.func.count()).select_from(wrong)) or 0
    sample = connection.execute(sa.select(sa.text("*")).select_from(wrong).limit(SAMPLE_ROWS))
    return number, tuple(ready_for_json(dict(row)) for row in sample.mappings())


def _wrong_rows(table: sa.Table, claim: Claim, night: Night) -> sa.Select[Any] | sa.TextualSelect:
    if isinstance(claim, NoRows):
        return night.bind(STAGED.format(table=table.name) + QUERIES[claim.query].text).columns()
    of_run = table.c.run_id == night.run_id
    rows = sa.select(*table.c).where(of_run)
    match claim:
        case NotNull(column):
            rows = rows.where(table.c[column].is_(None))
        case NotNegative(column):
            rows = rows.where(table.c[column] < 0)
        case OneOf(column, values, where):
            rows = rows.where(table.c[column].not_in(values))
            if where is not None:
                rows = rows.where(table.c[where[0]] == where[1])
        case Unique(columns):
            key = [table.c[column] for column in columns]
            copies = sa.func.count()
            rows = sa.select(*key, copies.label("copies")).where(of_run).group_by(*key).having(copies > 1)
    return rows.order_by(*rows.selected_columns)
