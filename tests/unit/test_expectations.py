"""What is expected of the staged rollups is well formed, without anybody checking it."""

import json
import re
from collections import Counter
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa

from core.errors import BadInput
from core.quality import CheckOutcome, QualityReport, ready_for_json, result_of
from core.states import CheckResult
from models import rollup_run
from models.expectations import EXPECTATIONS, KEYS, Claim, NoRows, NotNegative, NotNull, OneOf, Unique
from models.quality_check import QUERIES
from models.tables import metadata
from models.usage_sums import COUNTS
from tasks.failing_rows import Night

STAGED = {name for name in metadata.tables if name.startswith("staged_")}
CHECKS = [(table, check) for table, checks in EXPECTATIONS.items() for check in checks]
KEEPING = {"forget", "keep"}
SOURCE = (Path(__file__).parent.parent.parent / "models" / "expectations.py").read_text("utf-8")


def columns_of(claim: Claim) -> set[str]:
    """The columns that a claim names."""
    match claim:
        case NotNull(column) | NotNegative(column):
            return {column}
        case Unique(columns):
            return set(columns)
        case OneOf(column, _, where):
            return {column} | ({where[0]} if where else set())
        case NoRows(_):
            return set()


def outcome(result: CheckResult, exception: str | None = None) -> CheckOutcome:
    critical = result is not CheckResult.WARNED
    failing = 0 if result is CheckResult.PASSED or exception else 1
    return CheckOutcome(f"it {result}", "staged_x", critical, result, failing, exception=exception)


def test_every_staged_table_is_checked() -> None:
    assert set(EXPECTATIONS) == STAGED
    assert all(EXPECTATIONS.values())


def test_keys_are_those_of_the_published_tables() -> None:
    for name, key in KEYS.items():
        if name == rollup_run.STAGED_LEDGER_DAY.name:
            continue
        published = metadata.tables[name.replace("staged_", "rollup_")]
        assert [column.name for column in published.primary_key.columns] == list(key)


def test_every_key_is_unique_and_never_null() -> None:
    for table, key in KEYS.items():
        claims = [check.claim for check in EXPECTATIONS[table] if check.critical]
        assert {NotNull(column) for column in key} <= set(claims)
        assert Unique(key) in claims


def test_what_the_published_tables_enumerate_is_checked_before() -> None:
    for table in KEYS:
        if table == rollup_run.STAGED_LEDGER_DAY.name:
            continue
        claims = [check.claim for check in EXPECTATIONS[table]]
        for column in metadata.tables[table.replace("staged_", "rollup_")].columns:
            if isinstance(column.type, sa.Enum):
                assert OneOf(column.name, tuple(column.type.enums)) in claims


def test_claims_name_columns_that_their_tables_have() -> None:
    for table, check in CHECKS:
        assert columns_of(check.claim) <= set(metadata.tables[table].columns.keys()), check


def test_names_are_unique_for_a_table_as_they_are_part_of_a_key() -> None:
    twice = [
        key for key, number in Counter((table, check.name) for table, check in CHECKS).items() if number > 1
    ]
    assert not twice


def test_every_query_is_used_and_every_query_used_is_there() -> None:
    used = {check.claim.query for _, check in CHECKS if isinstance(check.claim, NoRows)}
    assert used == set(QUERIES) - KEEPING


def test_queries_ask_for_nothing_that_a_night_does_not_know() -> None:
    night = Night("0-a", date(2026, 3, 3))
    for name in set(QUERIES) - KEEPING:
        bound = night.bind(QUERIES[name].text).compile().params
        assert None not in bound.values(), name


def test_queries_have_no_sign_that_means_something_else_to_who_executes_them() -> None:
    """They become part of a larger query, with its values in it, and are then formatted once more."""
    for name in set(QUERIES) - KEEPING:
        text = QUERIES[name].text
        assert not re.search(r"[%{}]", text), name
        body = re.sub(r"--.*", "", text)
        assert body.strip().startswith("SELECT"), name
        assert text.splitlines()[-1].partition("--")[1] == "", "a LIMIT follows"


def test_figures_are_reconciled_without_exception() -> None:
    held = set(re.findall(r"\('(\w+)', rollup\.\1, ledger\.\1\)", QUERIES["figures_differ"].text))
    assert held == {*COUNTS, "hit_rates_sum", "cost_usd"}
    ledger = set(rollup_run.STAGED_LEDGER_DAY.columns.keys()) - {"run_id", "utc_day"}
    assert held == ledger


def test_only_volume_and_the_prices_of_another_list_are_warnings() -> None:
    warnings = {check.claim for _, check in CHECKS if not check.critical}
    assert warnings == {NoRows("volume_unusual"), NoRows("price_of_another_list")}


def test_expectations_are_said_without_who_checks_them() -> None:
    assert "import great_expectations" not in SOURCE
    assert "import sqlalchemy" not in SOURCE


@pytest.mark.parametrize("run_id", ["", "x' OR true", "0" * 65, "abc\n", "ABC"])
def test_a_run_id_that_is_not_plain_is_refused(run_id: str) -> None:
    with pytest.raises(BadInput):
        Night(run_id, date(2026, 3, 3))


@pytest.mark.parametrize(
    ("critical", "holds", "result"),
    [
        (True, True, CheckResult.PASSED),
        (False, True, CheckResult.PASSED),
        (True, False, CheckResult.FAILED),
        (False, False, CheckResult.WARNED),
    ],
)
def test_only_a_critical_check_fails(critical: bool, holds: bool, result: CheckResult) -> None:
    assert result_of(critical=critical, holds=holds) is result


def test_a_report_is_publishable_when_something_was_checked_and_nothing_failed() -> None:
    passed, failed, warned = (outcome(result) for result in CheckResult)
    assert QualityReport((passed, warned)).publishable
    assert not QualityReport((passed, failed)).publishable
    assert not QualityReport().publishable
    assert QualityReport((warned, failed, passed, passed)).to_json() == {
        "passed": 2,
        "failed": 1,
        "warned": 1,
    }


def test_a_report_says_what_failed_before_what_warned() -> None:
    report = QualityReport(
        (outcome(CheckResult.WARNED), outcome(CheckResult.FAILED, exception="no such table"))
    )
    assert [complaint.result for complaint in report.complaints] == [CheckResult.FAILED, CheckResult.WARNED]
    assert report.sentence() == (
        "1 failed, 1 warned, 0 passed. failed: it failed (staged_x): could not be checked: no such table; "
        "warned: it warned (staged_x): 1 row"
    )
    assert QualityReport((outcome(CheckResult.PASSED),)).sentence() == "all checks passed (1)"


def test_rows_are_ready_for_json_with_every_digit() -> None:
    row = {"utc_day": date(2026, 3, 2), "cost_usd": Decimal("0.000000000001"), "calls": 3, "model": None}
    assert json.loads(json.dumps(ready_for_json(row))) == {
        "utc_day": "2026-03-02",
        "cost_usd": "0.000000000001",
        "calls": 3,
        "model": None,
    }
