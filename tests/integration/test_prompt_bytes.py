"""Prompts are the same bytes in every process, whatever its hash seed and locale."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RENDER = """
import json, sys
from hashlib import sha256
from core.prompt import PlayerFacts, layers, note_text, prompt_version, sports
from core.request import answer_schema, request_body
from core.states import Tone

earlier = ("Kicked well, \\u00e9 </player>.", "One word more. " * 30)
player = PlayerFacts("Ciar\\u00e1n", "u12", None, "Half-back", earlier)
said = "Hand-pass now 4/5", "Clear gains & no </note> throwing it, \\u00e9."
alone, packed = [note_text(*said)], [note_text(*said, str(number)) for number in (1, 2)]
marked = {"sport": "1h", "tone": "5m", "player": "5m"}
for sport in sports():
    for tone in Tone:
        digest = sha256()
        for notes in (alone, packed):
            schema = answer_schema(sport, tone, packed=len(notes) > 1)
            body = request_body("claude-haiku-5-5", layers(sport, tone, player), notes, marked, schema, 400)
            digest.update(json.dumps(body, ensure_ascii=False).encode())
        print(sport, tone.value, prompt_version(sport, tone), digest.hexdigest())
"""


def rendered(**environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", RENDER],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.fixture(scope="module")
def first() -> str:
    return rendered(PYTHONHASHSEED="0")


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONHASHSEED": "1"},
        {"PYTHONHASHSEED": "random"},
        {"LC_ALL": "C", "PYTHONUTF8": "0"},
        {"PYTHONOPTIMIZE": "2"},
    ],
    ids=str,
)
def test_another_process_renders_the_same_bytes(first: str, environment: dict[str, str]) -> None:
    assert len(first.splitlines()) >= 9
    assert rendered(**environment) == first
