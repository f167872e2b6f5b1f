"""Trust that a coach has earned, how far the coach lets it reach, and the threshold that counts.

What is earned follows from the counts of a history and from nothing else: it is not stored, so that no
preference can destroy it, and it is lost again when the suppression rate rises above a tenth.
"""

from dataclasses import dataclass, replace
from decimal import Decimal

from core.errors import BadInput, BooksDisagree
from core.states import SummaryEvent

LEVEL_MAX = 3
LEVEL_UNLESS_PREFERRED = 2  # level 3 is for those who ask for it
THRESHOLD_DEFAULT = Decimal("0.70")
# An own threshold cannot be lower: below 0.60 a confidence is a low one (`core.approval.band`), and nothing
# of low confidence goes out unseen, whoever is trusted. Level 3 and learning end there, too.
THRESHOLD_MIN = Decimal("0.60")
THRESHOLD_MAX = Decimal(1)
APPROVED_PER_SUPPRESSED = 9  # a rate of at most 0.10, in whole numbers: nine approvals for each suppression
PREVIEW_DECISIONS = 20  # complete a preview


@dataclass(frozen=True, slots=True)
class Step:
    """What a level takes."""

    level: int
    approvals_min: int
    rate_counts: bool  # the suppression rate must be at most 0.10


STEPS = (Step(1, 10, rate_counts=False), Step(2, 50, rate_counts=True), Step(3, 200, rate_counts=True))


@dataclass(frozen=True, slots=True)
class History:
    """How many summaries a coach has approved, and suppressed or revoked; each summary counts once.

    Raises BooksDisagree for a count below zero.
    """

    approvals: int = 0
    suppressions: int = 0

    def __post_init__(self) -> None:
        if min(self.approvals, self.suppressions) < 0:
            raise BooksDisagree(
                f"{self.approvals} approvals and {self.suppressions} suppressions are no counts."
            )

    @property
    def suppression_rate(self) -> Decimal:
        """suppressed / (approved + suppressed), in 0..1, to be shown; 0 when there is none of either."""
        total = self.approvals + self.suppressions
        return Decimal(self.suppressions) / total if total else Decimal(0)

    @property
    def approvals_until_low_rate(self) -> int:
        """How many approvals, without a suppression, bring the rate to 0.10 or below; exact."""
        return max(0, APPROVED_PER_SUPPRESSED * self.suppressions - self.approvals)

    def after(self, event: SummaryEvent) -> "History":
        """Return the history with what happened to one more summary; most events do not count."""
        if event is SummaryEvent.APPROVE:
            return replace(self, approvals=self.approvals + 1)
        if event in {SummaryEvent.SUPPRESS, SummaryEvent.REVOKE}:
            return replace(self, suppressions=self.suppressions + 1)
        return self


@dataclass(frozen=True, slots=True)
class Progress:
    """The way to the next level: what is missing, if the next summaries are all approved."""

    earned: int
    next_level: int | None  # None: there is no higher one
    approvals_needed: int  # without a suppression among them, until count and rate are both met
    suppression_rate: Decimal  # 0..1
    held_back_by_rate: bool  # the count would do, the rate does not

    def sentence(self) -> str:
        """Say it in one line."""
        if self.next_level is None:
            return "The highest level is earned."
        more = f"{self.approvals_needed} more approval{'s' * (self.approvals_needed != 1)}"
        if self.held_back_by_rate:
            return (
                f"Held back from level {self.next_level} by the suppression rate: "
                f"{more} without a suppression bring it to 0.10."
            )
        return f"Level {self.next_level} is {more} away."


@dataclass(frozen=True, slots=True)
class Preview:
    """What level 2 would have approved, and how much of it the coach then approved just as it was.

    Raises BooksDisagree when more was agreed on than decided.
    """

    decided: int = 0
    agreed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.agreed <= self.decided:
            raise BooksDisagree(f"A preview of {self.decided} decisions cannot agree with {self.agreed}.")

    @property
    def agreement(self) -> Decimal | None:
        """The share that was agreed on, in 0..1; None when nothing is decided yet."""
        return Decimal(self.agreed) / self.decided if self.decided else None

    @property
    def complete(self) -> bool:
        """True once there is enough to judge by; it gates nothing."""
        return self.decided >= PREVIEW_DECISIONS


def earned_level(history: History) -> int:
    """Return the level (0..3) that a history earns."""
    return max((step.level for step in STEPS if _is_reached(step, history)), default=0)


def effective_level(earned: int, preferred: int | None) -> int:
    """Return the level (0..3) that counts: the preference is a cap. Raises BadInput for no such level."""
    check_level(earned)
    return min(earned, LEVEL_UNLESS_PREFERRED if preferred is None else check_level(preferred))


def check_level(level: int) -> int:
    """Return the level. Raises BadInput unless there is such a one."""
    if type(level) is not int or not 0 <= level <= LEVEL_MAX:
        raise BadInput(f"A level is a whole number from 0 to {LEVEL_MAX}, not {level!r}.")
    return level


def threshold_that_counts(learned: Decimal | None, own: Decimal | None) -> Decimal:
    """Return the learned threshold, else the coach's own, else 0.70; each as it is stored, unchecked."""
    if learned is not None:
        return learned
    return THRESHOLD_DEFAULT if own is None else own


def is_threshold(value: object) -> bool:
    """Say whether a value is a threshold: a Decimal from 0.60 to 1."""
    return isinstance(value, Decimal) and value.is_finite() and THRESHOLD_MIN <= value <= THRESHOLD_MAX


def check_own_threshold(threshold: Decimal) -> Decimal:
    """Return a threshold that a coach may set. Raises BadInput that says what is allowed, and why."""
    if not is_threshold(threshold):
        raise BadInput(
            f"A threshold is from {THRESHOLD_MIN} to {THRESHOLD_MAX}, not {threshold}: "
            "what is less sure than that never goes out without a look."
        )
    return threshold


def progress(history: History) -> Progress:
    """Return what is missing to the next level."""
    earned, rate = earned_level(history), history.suppression_rate
    step = next((step for step in STEPS if step.level > earned), None)
    if step is None:
        return Progress(earned, None, 0, rate, held_back_by_rate=False)
    for_count = max(0, step.approvals_min - history.approvals)
    for_rate = history.approvals_until_low_rate if step.rate_counts else 0
    return Progress(earned, step.level, max(for_count, for_rate), rate, held_back_by_rate=not for_count)


def _is_reached(step: Step, history: History) -> bool:
    rate_is_met = not step.rate_counts or history.approvals_until_low_rate == 0
    return history.approvals >= step.approvals_min and rate_is_met
