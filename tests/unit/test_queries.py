"""The SQL beside the tables is whole once it is loaded: each fragment in its places, without its comment."""

import re
from functools import cache
from pathlib import Path

import pytest

from models.sql import load

MODELS = Path(__file__).parent.parent.parent / "models"
FILES = sorted(path.name for path in MODELS.glob("*.sql"))
FRAGMENT = re.compile(r"-- fragment: (\w+)\n((?:--.*\n)*)((?:(?!-- ).+\n)+)")  # name, comment, SQL
PLACE = re.compile(r"\{(\w+)\}")


@cache
def loaded(filename: str) -> dict[str, str]:
    """The text of each query of a file."""
    return {name: query.text for name, query in load(filename).items()}


def fragments() -> dict[str, tuple[list[str], str]]:
    """The lines of comment, and the SQL, of each fragment of the insights' queries."""
    written = FRAGMENT.findall((MODELS / "insight.sql").read_text("utf-8"))
    return {name: (comment.splitlines(), sql.strip()) for name, comment, sql in written}


@pytest.mark.parametrize("filename", FILES)
def test_no_query_has_a_place_left_that_nothing_was_put_in(filename: str) -> None:
    written = (MODELS / filename).read_text("utf-8")
    assert len(loaded(filename)) == written.count("-- name: ") > 0
    assert {name: PLACE.findall(text) for name, text in loaded(filename).items() if PLACE.search(text)} == {}
    assert not any("-- fragment: " in text or "-- name: " in text for text in loaded(filename).values())


def test_what_several_queries_have_in_common_stands_in_each_with_the_fragments_inside_it() -> None:
    known, queries = fragments(), loaded("insight.sql")
    nested = {name: PLACE.findall(sql) for name, (_, sql) in known.items() if PLACE.search(sql)}
    assert nested == {"due_insights": ["clubs"], "is_due": ["in_lane"]}
    for outer, inners in nested.items():
        whole = known[outer][1]
        for inner in inners:
            whole = whole.replace(f"{{{inner}}}", known[inner][1])
        assert sum(whole in text for text in queries.values()) > 1
    for _, sql in known.values():
        assert sum(PLACE.split(sql)[0] in text for text in queries.values()) > 1


def test_what_explains_a_fragment_is_not_sent_with_the_queries_that_it_is_in() -> None:
    explained = [line for comment, _ in fragments().values() for line in comment]
    assert len(explained) > 3
    assert not any(line in text for line in explained for text in loaded("insight.sql").values())
