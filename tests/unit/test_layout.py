"""The architecture is a test: who may import whom, and how things are named."""

import ast
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
MAY_IMPORT = {
    "cli": {"flows", "tasks", "core", "models", "database"},
    "flows": {"tasks", "core", "models"},
    "tasks": {"core", "models", "database"},
    "database": {"models", "core"},
    "models": {"core"},
    "core": set[str](),
    "emulator": set[str](),
    "examples": set[str](),
}
ROOMS = set(MAY_IMPORT)
CORE_HAS_NO = {
    "sqlalchemy",
    "sqlmodel",
    "psycopg",
    "anthropic",
    "httpx",
    "httpx2",
    "prefect",
    "os",
    "time",
    "random",
}
FILES = [(room, path) for room in MAY_IMPORT for path in sorted((ROOT / room).rglob("*.py"))]


def imports(path: Path) -> Iterator[str]:
    """Give the dotted name of everything a file imports, wherever in the file it does so."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module


@cache
def tops(path: Path) -> frozenset[str]:
    return frozenset(name.partition(".")[0] for name in imports(path))


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_the_files_of_a_room_import_only_what_it_may(room: str) -> None:
    wrong = {
        str(path.relative_to(ROOT)): tops(path) & ROOMS - {room} - MAY_IMPORT[room]
        for room_of, path in FILES
        if room_of == room
    }
    assert {path: rooms for path, rooms in wrong.items() if rooms} == {}


@pytest.mark.parametrize("path", sorted((ROOT / "core").rglob("*.py")), ids=lambda path: path.name)
def test_the_core_does_no_io_and_reads_no_clock(path: Path) -> None:
    assert not tops(path) & CORE_HAS_NO
    called = {
        node.func.attr
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    assert not called & {"now", "utcnow", "today"}, "the time comes in as an argument"
    assert not called & {"open", "write_text", "write_bytes"}, "the core writes nothing"


def test_only_flows_and_the_command_line_read_the_systems_clock() -> None:
    readers = {
        str(path.relative_to(ROOT))
        for room, path in FILES
        if room in {"tasks", "models", "database", "core"}
        and any(call in path.read_text("utf-8") for call in ("datetime.now(", "date.today(", "utcnow("))
    }
    assert readers == {"tasks/clock.py"}


def test_no_query_reads_the_databases_clock() -> None:
    for path in (ROOT / "models").glob("*.sql"):
        words = path.read_text("utf-8").lower()
        assert not any(
            call in words for call in ("now()", "current_timestamp", "clock_timestamp", "current_date")
        )


def test_nobody_imports_the_emulator_but_its_own_tests() -> None:
    others = [path for path in (ROOT / "tests").rglob("*.py") if "emulator" not in path.name]
    others += [path for room, path in FILES if room != "emulator"] + list((ROOT / "benchmarks").rglob("*.py"))
    assert not [path for path in others if "emulator" in tops(path)]


def test_great_expectations_is_imported_in_one_place_at_most() -> None:
    found = {str(path.relative_to(ROOT)) for _, path in FILES if "great_expectations" in tops(path)}
    assert found <= {"tasks/quality.py"}


def test_tables_live_only_in_models() -> None:
    for room, path in FILES:
        if room != "models":
            assert "table=True" not in path.read_text("utf-8"), path


def test_flow_files_do_not_clash_with_packages() -> None:
    flows = {path.stem for path in (ROOT / "flows").glob("*.py")} - {"__init__"}
    assert flows
    assert not flows & (ROOMS | {"prefect", "tests", "benchmarks"})


@pytest.mark.parametrize("package", ["flows", "tasks"])
def test_packages_that_prefect_loads_hold_a_docstring_only(package: str) -> None:
    body = ast.parse((ROOT / package / "__init__.py").read_text("utf-8")).body
    assert len(body) == 1
    assert isinstance(body[0], ast.Expr)


def test_every_module_opens_with_a_docstring() -> None:
    undocumented = [path for _, path in FILES if not ast.get_docstring(ast.parse(path.read_text("utf-8")))]
    assert not undocumented


def test_tests_are_no_packages() -> None:
    assert not list((ROOT / "tests").rglob("__init__.py"))


def test_the_import_folders_are_listed_for_the_build() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    packages = set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])
    assert packages == ROOMS - {"examples"}


def test_every_dependency_is_pinned_without_an_address() -> None:
    lines = (ROOT / "constraints.txt").read_text("utf-8").split()
    assert lines
    assert all(line.count("==") == 1 and "/" not in line and "@" not in line for line in lines)
