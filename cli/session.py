"""How a command gets its settings and the database."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from core.errors import BadInput

if TYPE_CHECKING:
    import sqlalchemy as sa

    from core.settings import Settings


def read_settings() -> "Settings":
    """Read the environment. Raises BadInput naming the variables that are wrong, not their values."""
    from pydantic import ValidationError

    from core.settings import Settings

    try:
        return Settings()
    except ValidationError as error:
        wrong = "; ".join(
            f"{Settings.variable(str(detail['loc'][0]))}: {detail['msg']}"
            for detail in error.errors(include_input=False, include_url=False)
        )
        raise BadInput(f"The environment is not right: {wrong}. The README lists all variables.") from None


@contextmanager
def open_database() -> Iterator["sa.Engine"]:
    """Give an engine for as long as the command lasts; the embedded server is started when it is down."""
    from database.engine import connect, database
    from tasks.logs import set_up_logs

    settings = read_settings()
    set_up_logs(settings)
    with database(settings) as found:
        engine = connect(found.url)
        try:
            yield engine
        finally:
            engine.dispose()
