"""Which ports `touchline up` takes, and when it refuses to start."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli import machine
from cli.machine import check_named_api, choose_port, emulator_port
from cli.processes import is_free
from core.errors import BadInput


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that another program listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield int(listener.getsockname()[1])


def test_a_port_that_was_asked_for_and_is_taken_is_refused_with_the_way_out(taken: int) -> None:
    with pytest.raises(BadInput, match=f"Port {taken} is taken by another program: leave --port out"):
        choose_port(taken)


def test_the_usual_port_when_taken_is_replaced_by_a_free_one_and_that_is_said(
    taken: int, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(machine, "UI_PORT", taken)
    port = choose_port(None)
    assert port != taken
    assert is_free(port)
    assert f"Port {taken} is taken by another program, so the UI is at port {port}" in capfd.readouterr().err


def test_a_port_that_is_free_is_taken_without_a_word(capfd: pytest.CaptureFixture[str]) -> None:
    port = choose_port(0)
    assert choose_port(port) == port
    assert capfd.readouterr().err == ""


def test_the_emulator_comes_back_to_its_port_unless_another_has_taken_it(tmp_path: Path) -> None:
    port = emulator_port(tmp_path)
    assert emulator_port(tmp_path) == port
    with socket.create_server(("127.0.0.1", port)):
        other = emulator_port(tmp_path)
        assert other != port
    assert emulator_port(tmp_path) == other


def test_a_server_named_by_the_environment_is_not_silently_passed_over() -> None:
    check_named_api(None, 4200)
    check_named_api("http://127.0.0.1:4200/api", 4200)
    check_named_api("http://localhost:4200/api", 4200)
    for other in ("http://127.0.0.1:4201/api", "https://prefect.example.org/api"):
        with pytest.raises(BadInput, match="and `touchline up` starts one: unset it"):
            check_named_api(other, 4200)
