"""How the checks of a rollup have ended, and whether it may be published."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from core.states import CheckResult


@dataclass(frozen=True, slots=True)
class CheckOutcome:
    """One check of one staged table; `failing_rows` is a sample of the `failing` ones, ready for JSON.

    `exception` says why the check could not be made; then there is no telling how many rows fail.
    """

    name: str  # what must hold
    staged_table: str
    critical: bool
    result: CheckResult
    failing: int = 0
    failing_rows: tuple[Mapping[str, Any], ...] = ()
    exception: str | None = None

    def sentence(self) -> str:
        """Say in one line how it ended."""
        line = f"{self.result}: {self.name} ({self.staged_table})"
        if self.exception is not None:
            return f"{line}: could not be checked: {self.exception}"
        return line if self.result is CheckResult.PASSED else f"{line}: {rows_in_words(self.failing)}"


@dataclass(frozen=True, slots=True)
class QualityReport:
    """All checks of a run."""

    outcomes: tuple[CheckOutcome, ...] = ()

    @property
    def passed(self) -> int:
        """How many checks hold."""
        return self._count(CheckResult.PASSED)

    @property
    def failed(self) -> int:
        """How many critical checks do not hold, or could not be made."""
        return self._count(CheckResult.FAILED)

    @property
    def warned(self) -> int:
        """How many of the other checks do not hold, or could not be made."""
        return self._count(CheckResult.WARNED)

    @property
    def publishable(self) -> bool:
        """True when something was checked and nothing failed: what nobody has looked at is not published."""
        return bool(self.outcomes) and not self.failed

    @property
    def complaints(self) -> tuple[CheckOutcome, ...]:
        """What does not hold, the failed checks first."""
        wrong = [outcome for outcome in self.outcomes if outcome.result is not CheckResult.PASSED]
        return tuple(sorted(wrong, key=lambda outcome: outcome.result is CheckResult.WARNED))

    def to_json(self) -> dict[str, int]:
        """Return the counts."""
        return {"passed": self.passed, "failed": self.failed, "warned": self.warned}

    def sentence(self) -> str:
        """Say in one line what failed and what warned."""
        if not self.complaints:
            return f"all checks passed ({self.passed})"
        counts = f"{self.failed} failed, {self.warned} warned, {self.passed} passed"
        return f"{counts}. {'; '.join(outcome.sentence() for outcome in self.complaints)}"

    def _count(self, result: CheckResult) -> int:
        return sum(outcome.result is result for outcome in self.outcomes)


def result_of(*, critical: bool, holds: bool) -> CheckResult:
    """Return how a check ends; one that could not be made does not hold."""
    if holds:
        return CheckResult.PASSED
    return CheckResult.FAILED if critical else CheckResult.WARNED


def ready_for_json(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row as JSON can hold it: money as text with all its digits, days as ISO has them."""
    return {name: _plain(value) for name, value in row.items()}


def rows_in_words(rows: int) -> str:
    """Return how many rows are wrong."""
    return f"{rows:,} {'row' if rows == 1 else 'rows'}"


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return format(value, "f")
    return value.isoformat() if isinstance(value, date) else value
