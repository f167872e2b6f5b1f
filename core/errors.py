"""The one error tree: every error is named by what the caller should do next.

TouchlineError
|-- BadInput        what was given is wrong: change it and call again (exit 2)
|-- NotReady        something outside is missing or closed: do the next step, then call again (exit 1)
|-- Transient       the same call may succeed later: retry
|-- Rejected        this input will never succeed: park it
|-- Stopped         a control or a limit ended the run, everything is deferred (exit 3)
`-- BooksDisagree   our own numbers contradict each other: stop and call a person
"""


class TouchlineError(Exception):
    """Root of all errors that Touchline raises on purpose; its text is fit to be shown."""


class BadInput(TouchlineError):
    """What was given is wrong: change it and call again."""


class NotReady(TouchlineError):
    """Something outside is missing or closed: do the next step, then call again."""


class Transient(TouchlineError):
    """The same call may succeed later: retry."""


class Rejected(TouchlineError):
    """This input will never succeed: park it."""


class Stopped(TouchlineError):
    """A control or a limit ended the run; everything that was left is deferred."""


class BooksDisagree(TouchlineError):
    """Our own numbers contradict each other: stop and call a person."""


class UnknownModel(BadInput):
    """No price is known for this model at this time; it is refused, never billed as $0."""


class PersonNotFound(BadInput):
    """user id not found"""
