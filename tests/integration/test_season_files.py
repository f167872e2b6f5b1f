"""The committed season is what the generator writes, byte for byte, however it is started."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from examples.generate import Season, write_season

ROOT = Path(__file__).resolve().parents[2]
FILES = ("organizations", "coaches", "players", "insights", "guardians")


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_generator_reproduces_the_committed_season(tmp_path: Path) -> None:
    write_season(tmp_path, Season())
    assert bytes_of(tmp_path) == bytes_of(ROOT / "examples" / "season")
    assert set(bytes_of(tmp_path)) == {f"{name}.jsonl" for name in FILES}


@pytest.mark.parametrize("hash_seed", ["0", "4711"])
def test_it_runs_as_a_script_from_anywhere_on_a_bare_python(tmp_path: Path, hash_seed: str) -> None:
    # -S leaves out site-packages: the generator needs nothing but the standard library.
    subprocess.run(
        [sys.executable, "-S", str(ROOT / "examples" / "generate.py"), "season"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "LC_ALL": "C"},
        check=True,
        capture_output=True,
    )
    assert bytes_of(tmp_path / "season") == bytes_of(ROOT / "examples" / "season")


def test_a_smaller_season_overwrites_a_larger_one(tmp_path: Path) -> None:
    write_season(tmp_path, Season(insights=30))
    write_season(tmp_path, Season(insights=3, bad_lines=0))
    assert len((tmp_path / "insights.jsonl").read_text(encoding="utf-8").splitlines()) == 3
