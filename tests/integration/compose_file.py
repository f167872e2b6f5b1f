"""The compose file as a container engine would read it: with the values of variables in their places."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parents[2] / "deployments"
COMPOSE_FILE = FOLDER / "compose.yaml"
VARIABLE = re.compile(r"\$\{(?P<name>\w+):(?P<how>[-?])(?P<rest>[^}]*)\}")  # every form that the file uses


def compose_text() -> str:
    """Return the file without its comments, which may name variables as well."""
    return yaml.safe_dump(yaml.safe_load(COMPOSE_FILE.read_text("utf-8")))


def filled_in(text: str, values: Mapping[str, str]) -> str:
    """Put values in the place of variables. Raises KeyError, with what is asked for, for a needed one."""

    def value(found: re.Match[str]) -> str:
        name, how, rest = found["name"], found["how"], found["rest"]
        if given := values.get(name):
            return given
        if how == "?":
            raise KeyError(f"{name}: {rest}")
        return rest

    return VARIABLE.sub(value, text)


def read_compose(values: Mapping[str, str]) -> dict[str, Any]:
    """Read the file with these values of its variables, put in once it is parsed, as engines do."""

    def fill(part: Any) -> Any:
        if isinstance(part, dict):
            return {name: fill(value) for name, value in part.items()}
        if isinstance(part, list):
            return [fill(value) for value in part]
        return filled_in(part, values) if isinstance(part, str) else part

    whole: dict[str, Any] = fill(yaml.safe_load(COMPOSE_FILE.read_text("utf-8")))
    deploy = whole["services"]["worker"]["deploy"]
    deploy["replicas"] = int(deploy["replicas"])
    return whole


def needed_variables() -> set[str]:
    """Name the variables that have no default."""
    return {found["name"] for found in VARIABLE.finditer(compose_text()) if found["how"] == "?"}


def defaults() -> dict[str, set[str]]:
    """Give the defaults of the other variables, as the file has them."""
    found: dict[str, set[str]] = {}
    for one in VARIABLE.finditer(compose_text()):
        if one["how"] == "-":
            found.setdefault(one["name"], set()).add(one["rest"])
    return found


def made_up() -> dict[str, str]:
    """Return a value for each variable that is needed, as `openssl rand -hex` would make it."""
    return {name: "operator:5ea5" if name.endswith("AUTH_STRING") else "5ea5" for name in needed_variables()}


def environment_lines() -> Iterator[tuple[str, str, str]]:
    """Give every variable that a service is given: service, name, value as the file has it."""
    whole = yaml.safe_load(COMPOSE_FILE.read_text("utf-8"))
    for service, facts in whole["services"].items():
        for name, value in facts.get("environment", {}).items():
            yield service, name, value
