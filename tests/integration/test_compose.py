"""`deployments/`: compose file, variables and image, as far as they can be held without an engine."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose
from prefect.settings import Settings as PrefectSettings
from typer.testing import CliRunner

from cli.main import app
from core.settings import Settings
from tests.integration.compose_file import (
    COMPOSE_FILE,
    FOLDER,
    VARIABLE,
    compose_text,
    defaults,
    environment_lines,
    filled_in,
    made_up,
    needed_variables,
    read_compose,
)

ROOT = FOLDER.parent
CONTAINERFILE = (FOLDER / "Containerfile").read_text("utf-8")
EXAMPLE = (FOLDER / "env.example").read_text("utf-8")
ASSIGNMENT = re.compile(r"^(?P<off>#?)(?P<name>[A-Z_]+)=(?P<value>.*)$", re.MULTILINE)
SECRET_NAME = re.compile(r"PASSWORD|KEY|AUTH|SECRET|WEBHOOK|CONNECTION_URL|DATABASE_URL")
SERVICES: dict[str, Any] = read_compose(made_up())["services"]


def test_the_file_is_a_compose_file_without_a_key_that_engines_do_not_know() -> None:
    whole = read_compose(made_up())
    PyCompose.from_yaml(yaml.safe_dump(whole)).validate()
    whole["services"]["worker"]["healtcheck"] = whole["services"]["worker"].pop("healthcheck")
    with pytest.raises(ValueError, match="healtcheck"):
        PyCompose.from_yaml(yaml.safe_dump(whole))


def test_every_variable_is_of_a_form_that_says_what_happens_without_it() -> None:
    assert compose_text().count("$") == len(VARIABLE.findall(compose_text()))
    assert needed_variables()
    for name in needed_variables():
        with pytest.raises(KeyError, match=name):
            filled_in(compose_text(), {key: value for key, value in made_up().items() if key != name})


def test_the_example_of_an_env_file_has_every_variable_and_its_default_and_no_other() -> None:
    written = {found["name"]: (bool(found["off"]), found["value"]) for found in ASSIGNMENT.finditer(EXAMPLE)}
    assert {name: {written[name][1]} for name in written if written[name][0]} == defaults()
    assert {name for name, (off, value) in written.items() if not off and not value} == needed_variables()
    assert set(written) == needed_variables() | set(defaults())


def test_secrets_come_from_the_environment_and_none_is_in_a_file() -> None:
    secret = [(name, value) for _, name, value in environment_lines() if SECRET_NAME.search(name)]
    assert len(secret) >= 10
    for name, value in secret:
        assert VARIABLE.search(value), name
        without = VARIABLE.sub("", value)  # the rest of an address
        assert not re.search(r"://[^/]*:[^@]+@", without), name
    for path in (
        *FOLDER.rglob("*.y*ml"),
        *FOLDER.rglob("*.sh"),
        FOLDER / "Containerfile",
        FOLDER / "env.example",
    ):
        assert not re.search(r"sk-ant-|hooks\.slack\.com", path.read_text("utf-8")), path


def test_images_have_a_version() -> None:
    images = [service["image"] for service in SERVICES.values()]
    images += re.findall(r"^FROM (\S+)", CONTAINERFILE, re.MULTILINE)
    assert len(images) == len(SERVICES) + 1
    for image in images:
        tag = image.rpartition(":")[2]
        assert re.match(r"\d+(\.\d+)*", tag), image
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert defaults()["TOUCHLINE_VERSION"] == {project["version"]}


def test_what_services_refer_to_is_there() -> None:
    volumes = set(read_compose(made_up())["volumes"])
    mounted = set()
    for service in SERVICES.values():
        for source, target in (volume.split(":")[:2] for volume in service.get("volumes", ())):
            assert target.startswith("/")
            if source.startswith("."):
                assert (FOLDER / source).is_file()
            else:
                mounted.add(source)
        for name, how in service.get("depends_on", {}).items():
            other = SERVICES[name]
            if how["condition"] == "service_healthy":
                assert other["healthcheck"]["test"][0] == "CMD"
            else:
                assert how["condition"] == "service_completed_successfully"
                assert other["restart"] == "no"
    assert mounted == volumes


def test_only_this_machine_reaches_what_is_published() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert published == ["127.0.0.1:4200:4200"]


def test_whatever_stays_up_has_a_healthcheck_and_time_to_end() -> None:
    for name, service in SERVICES.items():
        if service["restart"] != "no":
            assert service["healthcheck"]["test"], name
            assert int(service["stop_grace_period"].removesuffix("s")) >= 30, name
    assert int(SERVICES["worker"]["stop_grace_period"].removesuffix("s")) > 120, (
        "a request may take that long"
    )


@pytest.mark.parametrize("service", ["server", "worker"])
def test_a_command_of_prefect_exists_with_its_options(service: str) -> None:
    assert SERVICES[service]["entrypoint"] == ["prefect"]
    words = SERVICES[service]["command"]
    asked = [sys.executable, "-m", "prefect", *words[:2], "--help"]
    wide = os.environ | {"COLUMNS": "200"}
    told = subprocess.run(asked, capture_output=True, text=True, check=True, env=wide).stdout
    options = [word for word in words if word.startswith("--")]
    assert options
    assert not [option for option in options if option not in told]


def test_the_commands_of_touchline_exist() -> None:
    assert SERVICES["setup"]["entrypoint"] == ["sh", "-c"]
    (line,) = SERVICES["setup"]["command"]
    commands = [command.split() for command in line.split(" && ")]
    assert len(commands) == 2
    for program, *words in commands:
        assert program == "touchline"
        assert CliRunner().invoke(app, [*words, "--help"]).exit_code == 0
    assert CliRunner().invoke(app, ["no-such-command", "--help"]).exit_code != 0


def test_the_healthchecks_in_python_are_python() -> None:
    programs = [
        test[3] for service in SERVICES.values() if (test := _check(service))[1:3] == ["python", "-c"]
    ]
    assert len(programs) == 2
    for program in programs:
        compile(program, "healthcheck", "exec")


def _check(service: dict[str, Any]) -> list[str]:
    test: list[str] = service.get("healthcheck", {}).get("test", [])
    return test


@pytest.mark.parametrize("service", ["server", "worker", "setup"])
def test_prefect_knows_every_setting_that_it_is_given(
    service: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given = {
        name: value for name, value in SERVICES[service]["environment"].items() if name.startswith("PREFECT_")
    }
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    known = PrefectSettings().to_environment_variables(exclude_unset=True, include_aliases=True)
    assert given.keys() <= known.keys()


def test_the_server_forgets_old_runs_and_asks_who_is_there() -> None:
    given = SERVICES["server"]["environment"]
    assert "flow_runs" in given["PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED"]
    assert given["PREFECT_SERVER_API_AUTH_STRING"] == made_up()["PREFECT_AUTH_STRING"]
    assert given["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    assert "asyncpg" in given["PREFECT_SERVER_DATABASE_CONNECTION_URL"]


def test_touchline_knows_every_setting_that_it_is_given() -> None:
    known = {Settings.variable(field) for field in Settings.model_fields}
    for service in ("setup", "worker"):
        given = SERVICES[service]["environment"]
        ours = {name for name in given if not name.startswith("PREFECT_")}
        assert ours
        assert ours <= known
    assert defaults()["TOUCHLINE_MODEL"] == {Settings().model}


def test_the_image_holds_what_runs_pinned_for_a_user_without_rights() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    copied = {
        source
        for line in re.findall(r"^COPY (.+)$", CONTAINERFILE, re.MULTILINE)
        for source in line.split()[:-1]
    }
    wanted = {f"{folder}/" for folder in project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]}
    wanted |= {"pyproject.toml", "constraints.txt", "prefect.yaml", "README.md", "LICENSE"}
    read_by_bootstrap = {f"deployments/{path.name}" for path in FOLDER.glob("*.yaml") if path != COMPOSE_FILE}
    assert read_by_bootstrap
    assert wanted | read_by_bootstrap <= copied
    assert not [source for source in copied if not (ROOT / source).exists()]
    assert "pip install --no-cache-dir --constraint constraints.txt" in CONTAINERFILE
    assert re.findall(r"^USER (\S+)", CONTAINERFILE, re.MULTILINE)[-1] not in {"root", "0"}
    assert 'ENTRYPOINT ["touchline"]' in CONTAINERFILE


def test_our_lines_and_signs_of_life_are_as_prefect_yaml_has_them() -> None:
    deployed = yaml.safe_load((ROOT / "prefect.yaml").read_text("utf-8"))["deployments"]
    given = SERVICES["worker"]["environment"]
    for deployment in deployed:
        in_a_process = deployment["work_pool"]["job_variables"]["env"]
        assert in_a_process.items() <= given.items(), deployment["name"]
