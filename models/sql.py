"""Named queries: the SQL beside each table, loaded once.

A `.sql` file is a list of queries, each opened by `-- name: what_it_does` and a comment that says
what it is for. Parameters are written `:name`.
"""

import re
from collections.abc import Mapping
from importlib.resources import files

import sqlalchemy as sa

Queries = Mapping[str, sa.TextClause]
_HEADING = re.compile(r"^-- name: (\w+)\s*$", re.MULTILINE)


def load(filename: str) -> Queries:
    """Return the queries of a file in `models/`, by name."""
    _, *parts = _HEADING.split(files("models").joinpath(filename).read_text("utf-8"))
    names, bodies = parts[::2], parts[1::2]
    if len(set(names)) != len(names):
        raise ValueError(f"{filename}: a query name is used twice")
    return {name: sa.text(body.strip()) for name, body in zip(names, bodies, strict=True)}
