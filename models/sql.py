"""Named queries: the SQL beside each table, loaded once.

A `.sql` file is a list of queries, each opened by `-- name: what_it_does` and a comment that says
what it is for. Parameters are written `:name`. What several have in common is a fragment, opened by
`-- fragment: its_name` before the first query, and written `{its_name}` where it belongs.
"""

import re
from collections.abc import Mapping
from importlib.resources import files

import sqlalchemy as sa

Queries = Mapping[str, sa.TextClause]
_HEADING = re.compile(r"^-- name: (\w+)\s*$", re.MULTILINE)
_PLACE = re.compile(r"\{(\w+)\}")
_FRAGMENT = re.compile(r"^-- fragment: (\w+)\s*$", re.MULTILINE)


def load(filename: str) -> Queries:
    """Return the queries of a file in `models/`, by name."""
    head, *parts = _HEADING.split(files("models").joinpath(filename).read_text("utf-8"))
    _, *common = _FRAGMENT.split(head)
    fragments = dict(zip(common[::2], map(_without_comment, common[1::2]), strict=True))
    names, bodies = parts[::2], parts[1::2]
    if len(set(names)) != len(names):
        raise ValueError(f"{filename}: a query name is used twice")
    return {name: sa.text(_whole(body, fragments)) for name, body in zip(names, bodies, strict=True)}


def _without_comment(fragment: str) -> str:
    lines = fragment.strip().splitlines()
    return "\n".join(line for line in lines if not line.startswith("--"))


def _whole(body: str, fragments: Mapping[str, str]) -> str:
    """Put the fragments in their places; one may hold another."""
    while (whole := _PLACE.sub(lambda place: fragments[place[1]], body)) != body:
        body = whole
    return body.strip()
