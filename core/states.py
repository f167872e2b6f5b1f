"""Every state and closed word list, each member explained on its line."""

from enum import StrEnum


class InsightState(StrEnum):
    PENDING = "pending"  # waiting for a run
    CLAIMED = "claimed"  # leased to a run until `lease_until`
    IN_BATCH = "in_batch"  # part of a message batch; the batch row owns it
    SUMMARIZED = "summarized"  # has its live summary
    DEFERRED = "deferred"  # may run again at `not_before`; the cause is kept
    SKIPPED = "skipped"  # a switch says not to; which one is kept
    PARKED = "parked"  # a person must look; the reason is kept


class SummaryState(StrEnum):
    PENDING_REVIEW = "pending_review"  # waits for the owning coach
    AUTO_APPROVED = "auto_approved"  # approved by rule, inside its revocation window
    APPROVED = "approved"  # approved by the owning coach
    SUPPRESSED = "suppressed"  # never goes out
    DELIVERED = "delivered"  # a guardian can read it
    VIEWED = "viewed"  # a guardian has read it


class Outcome(StrEnum):
    """What became of one attempt (one HTTP request)."""

    SENT = "sent"  # in flight, or its process died; billed as estimated
    SUCCEEDED = "succeeded"  # the answer was used
    UNUSABLE = "unusable"  # answered, but broken, truncated or off the schema; billed
    REFUSED = "refused"  # the model refused; before any output it costs nothing
    REJECTED = "rejected"  # the API turned it away before any work; not billed
    LOST = "lost"  # sent, never heard; billed as estimated until reconciled
    EXPIRED = "expired"  # a batch item that ran out of time; not billed
    CANCELED = "canceled"  # a batch item that was cancelled; not billed
    ADJUSTMENT = "adjustment"  # closes a day on the vendor's report


class Lane(StrEnum):
    LIVE = "live"  # Messages API
    OVERNIGHT = "overnight"  # Message Batches API


class BatchState(StrEnum):
    """How far a message batch is; its items are settled when it is collected, refused or missing."""

    SENT = "sent"  # written down; whether the API has it is not known yet
    OPEN = "open"  # the API has it
    COLLECTED = "collected"  # every result is settled
    REFUSED = "refused"  # the API turned it away
    MISSING = "missing"  # it never came to be, or the API has forgotten it


class BatchKind(StrEnum):
    PRIME = "prime"  # one call for each prefix, to write it
    MAIN = "main"  # everything else, reading what is primed


class LaneChoice(StrEnum):
    LIVE = "live"  # everything at once
    OVERNIGHT = "overnight"  # everything in batches
    AUTO = "auto"  # overnight, unless urgent or waiting for too long


class ServiceTier(StrEnum):
    STANDARD = "standard"  # list price
    BATCH = "batch"  # half of every token class
    PRIORITY = "priority"  # committed capacity; not used by Touchline, but the vendor may answer it


class Tone(StrEnum):
    WARM = "warm"  # two to three sentences
    PROFESSIONAL = "professional"  # two to three sentences
    BRIEF = "brief"  # one sentence


class GuardianStatus(StrEnum):
    ACTIVE = "active"  # may receive, when consented
    PENDING = "pending"  # invited, has not answered
    DECLINED = "declined"  # said no


class SkipReason(StrEnum):
    SUMMARIES_OFF = "summaries_off"  # the coach switched summaries off
    SENSITIVE = "sensitive"  # the coach wants no summaries of injury or behavior


class Flag(StrEnum):
    """What the model itself doubts about its answer; any flag means review."""

    NEEDS_CONTEXT = "needs_context"
    OVERLY_POSITIVE = "overly_positive"
    TECHNICAL_JARGON = "technical_jargon"
    NAMES_OTHER_PERSON = "names_other_person"


class RollupSubject(StrEnum):
    """What of a day has changed."""

    USAGE = "usage"  # the ledger
    OUTCOMES = "outcomes"  # insights and summaries


class OutcomeSubject(StrEnum):
    """What an outcome is of."""

    INSIGHT = "insight"
    SUMMARY = "summary"


class Decision(StrEnum):
    """Who decides about a summary."""

    REVIEW = "review"  # its coach
    APPROVE = "approve"  # the rules: it goes out by itself when the revocation window is over


class Tier(StrEnum):
    """How a decision was come to, as a coach sees it."""

    MANUAL_REVIEW = "manual_review"  # for the coach, though nothing is wrong with it
    FLAGGED = "flagged"  # for the coach, because something about it calls for a look
    AUTO_SEND = "auto_send"  # goes out by itself


class SummaryEvent(StrEnum):
    """What can happen to a summary; what it leads to is in `core/transitions.py`."""

    CREATED = "created"  # it was made, and decided about
    APPROVE = "approve"  # its coach lets it go out
    EDIT = "edit"  # its coach changed the text; the original is kept
    SUPPRESS = "suppress"  # its coach keeps it back for good
    REVOKE = "revoke"  # its coach takes an automatic approval back
    DELIVER = "deliver"  # it went out
    VIEW = "view"  # a guardian read it
    ACKNOWLEDGE = "acknowledge"  # a guardian said so


class Override(StrEnum):
    """Where a coach and the rules differed."""

    APPROVED_LOW_CONFIDENCE = "approved_low_confidence"  # good, though below the threshold
    REJECTED_HIGH_CONFIDENCE = "rejected_high_confidence"  # not good, for all its confidence
    EDITED = "edited"  # the text was not as the coach wants it
    REVOKED_AUTO = "revoked_auto"  # it was to go out by itself, and must not


class Feedback(StrEnum):
    """Why a coach keeps a summary back."""

    INACCURATE = "inaccurate"  # it is not what happened
    TOO_SENSITIVE = "too_sensitive"  # not for a parent, or not in writing
    WRONG_TIMING = "wrong_timing"  # not now
    OTHER = "other"  # none of these


class InjuryTick(StrEnum):
    """What a coach vouches for before an injury is written about to a parent; all three are needed."""

    PERSONALLY_OBSERVED = "personally_observed"  # the coach has seen it, and was not told of it
    SEVERITY_ACCURATE = "severity_accurate"  # it is neither played down nor made worse
    NO_MEDICAL_ADVICE = "no_medical_advice"  # nothing in it is for a doctor to say


class CheckResult(StrEnum):
    """How a check of the rollups has ended."""

    PASSED = "passed"  # it holds
    FAILED = "failed"  # it does not hold, or could not be made: nothing is published
    WARNED = "warned"  # it does not hold, or could not be made, but nothing hangs on it
