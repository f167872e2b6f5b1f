"""Hold what a run has staged against what must be true of it, by Great Expectations; keep how it went."""

import asyncio
import json
import logging
import os
import threading
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from prefect import task
from prefect.cache_policies import NO_CACHE
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import SQLAlchemyError

from core.errors import BadInput
from core.quality import CheckOutcome, QualityReport, result_of
from database.engine import connect
from database.migrate import IMPATIENT, psycopg_url
from models.expectations import EXPECTATIONS, Check, NoRows, NotNegative, NotNull, OneOf, Unique
from models.quality_check import QUERIES
from tasks.failing_rows import Night, count_and_sample

os.environ["GX_ANALYTICS_ENABLED"] = "false"  # read when it is imported, which takes seconds

import great_expectations as gx
from great_expectations.core import ExpectationValidationResult
from great_expectations.data_context.data_context.ephemeral_data_context import EphemeralDataContext
from great_expectations.data_context.types.base import ProgressBarsConfig
from great_expectations.datasource.fluent.sql_datasource import SQLDatasource
from great_expectations.expectations.core.expect_column_values_to_be_between import (
    ExpectColumnValuesToBeBetween,
)
from great_expectations.expectations.core.expect_column_values_to_be_in_set import ExpectColumnValuesToBeInSet
from great_expectations.expectations.core.expect_column_values_to_be_unique import (
    ExpectColumnValuesToBeUnique,
)
from great_expectations.expectations.core.expect_column_values_to_not_be_null import (
    ExpectColumnValuesToNotBeNull,
)
from great_expectations.expectations.core.expect_compound_columns_to_be_unique import (
    ExpectCompoundColumnsToBeUnique,
)
from great_expectations.expectations.core.unexpected_rows_expectation import UnexpectedRowsExpectation
from great_expectations.expectations.expectation import Expectation
from great_expectations.expectations.row_conditions import Column

# The server may know staging from an earlier run, or as empty: compared row by row, a day would take minutes.
COMPARE_BY_HASH = "-c enable_nestloop=off -c jit=off"
ROWS_READ = 200  # of what a query selects: Great Expectations wants the rows, not only their number
EXCEPTION_LENGTH = 300  # characters of its first line that are kept
# What the queries of quality_check.sql are about. Great Expectations gives `{batch}` no alias beside a JOIN.
STAGED = "WITH staged AS (SELECT batch.* FROM {batch} AS batch CROSS JOIN (SELECT 1) AS one) "

# It says nothing beside its results, in which everything is.
logging.getLogger("great_expectations").addHandler(logging.NullHandler())
logging.getLogger("great_expectations").propagate = False

logger = logging.getLogger("touchline.rollup")

_one_at_a_time = threading.Lock()  # Great Expectations has one current project in a process


@dataclass(frozen=True, slots=True)
class Finding:
    """What Great Expectations says of a check."""

    holds: bool
    exception: str | None = None


Findings = Mapping[str, Sequence[Finding]]  # by table, in the order of its checks


@task(name="check-staged", cache_policy=NO_CACHE, persist_result=False)
async def check_staged(
    engine_url: str, run_id: str, *, today: date, now: datetime, docs: Path | None = None
) -> QualityReport:
    """Make every check of what the run has staged and committed, and keep how each has ended.

    A check that cannot be made does not hold. `docs`: a folder for Great Expectations' Data Docs, static
    pages that load scripts and styles from public CDNs when they are opened.
    """
    report = await asyncio.to_thread(_check, engine_url, Night(run_id, today), now, docs)
    logger.log(
        logging.INFO if report.publishable else logging.ERROR,
        "checked %s: %d passed, %d failed, %d warned",
        run_id,
        report.passed,
        report.failed,
        report.warned,
    )
    return report


def _check(engine_url: str, night: Night, now: datetime, docs: Path | None) -> QualityReport:
    if docs:
        _make(docs)
    engine = connect(engine_url)
    try:
        with engine.connect():
            pass  # a database that is away says so here, in the words that all others know
        with _one_at_a_time, warnings.catch_warnings(action="ignore"):
            findings = _findings(engine_url, night, docs)
        outcomes = tuple(
            _outcome(engine, night, table, check, finding)
            for table, checks in EXPECTATIONS.items()
            for check, finding in zip(checks, findings[table], strict=True)
        )
        _keep(engine, night, now, outcomes)
    finally:
        engine.dispose()
    return QualityReport(outcomes)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"Data Docs cannot be put into {folder}: {error.strerror}.") from error


def _findings(engine_url: str, night: Night, docs: Path | None) -> Findings:
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    source = context.data_sources.add_sql(_source(engine_url))
    engine = source.get_execution_engine().engine
    sa.event.listen(engine, "before_cursor_execute", _ColumnsOnly(night), retval=True)
    try:
        findings = {table: _validate(context, source, table, night, bool(docs)) for table in EXPECTATIONS}
    finally:
        engine.dispose()
        source.get_engine().dispose()
    if docs:
        _write_docs(context, docs)
    return findings


def _source(engine_url: str) -> SQLDatasource:
    """Return where the rows are; not as a URL, in which Great Expectations would replace `$NAME`."""
    url = psycopg_url(engine_url)
    _, arguments = url.get_dialect()().create_connect_args(url)
    options = f"{arguments.get('options', '')} {COMPARE_BY_HASH}".strip()
    return SQLDatasource(
        name="staging",
        connection_string=f"{url.drivername}://",
        create_temp_table=False,
        kwargs={"connect_args": {**IMPATIENT, **arguments, "options": options}, "hide_parameters": True},
    )


class _ColumnsOnly:
    """Great Expectations reads a whole batch to learn its columns; this spares it the rows."""

    def __init__(self, night: Night) -> None:
        self._batches = {night.batch(table) for table in EXPECTATIONS}

    def __call__(self, _: Any, __: Any, statement: str, parameters: Any, *___: Any) -> tuple[str, Any]:
        return (f"{statement} LIMIT 0" if statement in self._batches else statement), parameters


def _validate(
    context: EphemeralDataContext, source: SQLDatasource, table: str, night: Night, for_docs: bool
) -> list[Finding]:
    checks = EXPECTATIONS[table]
    try:
        suite = gx.ExpectationSuite(table, [_expectation(check, night) for check in checks])
        asset = source.add_query_asset(table, night.batch(table))
        rows = asset.add_batch_definition_whole_table(night.run_id)
        if for_docs:  # the pages are made of what the context knows
            named = gx.ValidationDefinition(name=table, data=rows, suite=context.suites.add(suite))
            results = context.validation_definitions.add(named).run(result_format="SUMMARY").results
        else:
            results = rows.get_batch().validate(suite, result_format="BOOLEAN_ONLY").results
    except Exception as error:  # noqa: BLE001 - whatever it is, none of these checks was made
        return [Finding(holds=False, exception=_first_words(error))] * len(checks)
    found = dict(map(_finding, results))
    return [found[check.name] for check in checks]


def _expectation(check: Check, night: Night) -> Expectation:
    """Return a check in Great Expectations' words."""
    common: dict[str, Any] = {
        "severity": "critical" if check.critical else "warning",
        "description": check.name,
        "meta": {"check": check.name},
    }
    match check.claim:
        case NotNull(column):
            return ExpectColumnValuesToNotBeNull(column=column, **common)
        case NotNegative(column):
            return ExpectColumnValuesToBeBetween(column=column, min_value=0, **common)
        case Unique((column,)):
            return ExpectColumnValuesToBeUnique(column=column, **common)
        case Unique(columns):
            together = list(columns)
            return ExpectCompoundColumnsToBeUnique(column_list=together, ignore_row_if="never", **common)
        case OneOf(column, values, where):
            if where is not None:
                common["row_condition"] = Column(where[0]) == where[1]
            return ExpectColumnValuesToBeInSet(column=column, value_set=list(values), **common)
        case NoRows(query):
            written_out = _written_out(night.bind(f"{STAGED}{QUERIES[query].text} LIMIT {ROWS_READ}"))
            return UnexpectedRowsExpectation(unexpected_rows_query=written_out, **common)


def _written_out(query: sa.TextClause) -> str:
    """Return a query with its values in it: Great Expectations binds none."""
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    return str(query.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))


def _finding(result: ExpectationValidationResult) -> tuple[str, Finding]:
    """Return what was found of which check. Why one could not be made is told once, or by each figure."""
    assert result.expectation_config is not None
    told: Mapping[str, Any] = result.exception_info
    reasons = [told] if "raised_exception" in told else list(told.values())
    raised = [reason["exception_message"] for reason in reasons if reason["raised_exception"]]
    finding = Finding(bool(result.success), _first_words(raised[0]) if raised else None)
    return result.expectation_config.meta["check"], finding


def _first_words(reason: object) -> str:
    return str(reason).strip().partition("\n")[0][:EXCEPTION_LENGTH] or type(reason).__name__


def _write_docs(context: EphemeralDataContext, folder: Path) -> None:
    name = "local_site"
    store = {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(folder.absolute())}
    index = {"class_name": "DefaultSiteIndexBuilder"}
    context.update_data_docs_site(
        name, {"class_name": "SiteBuilder", "store_backend": store, "site_index_builder": index}
    )
    context.build_data_docs([name])


def _outcome(engine: sa.Engine, night: Night, table: str, check: Check, finding: Finding) -> CheckOutcome:
    """Return how a check ended; when it does not hold, with rows that show why."""
    result = result_of(critical=check.critical, holds=finding.holds)
    outcome = CheckOutcome(check.name, table, check.critical, result, exception=finding.exception)
    if finding.holds or finding.exception is not None:
        return outcome
    try:
        with engine.connect() as connection:
            number, rows = count_and_sample(connection, night, table, check.claim)
    except SQLAlchemyError as error:
        return replace(outcome, exception=_first_words(error))
    return replace(outcome, failing=number, failing_rows=rows)


def _keep(engine: sa.Engine, night: Night, now: datetime, outcomes: Sequence[CheckOutcome]) -> None:
    """Write down how each check ended, in the place of what an earlier try of this run had written."""
    rows = [
        {
            "run_id": night.run_id,
            "name": outcome.name,
            "staged_table": outcome.staged_table,
            "critical": outcome.critical,
            "checked_at": now,
            "result": outcome.result,
            "failing": outcome.failing,
            "failing_rows": json.dumps(outcome.failing_rows),
            "exception": outcome.exception,
        }
        for outcome in outcomes
    ]
    with engine.begin() as connection:
        connection.execute(QUERIES["forget"], {"run_id": night.run_id})
        connection.execute(QUERIES["keep"], rows)
