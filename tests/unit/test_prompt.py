"""A prompt is the same bytes for ever, and nothing in a note or a name gets out of its fence."""

import json
import unicodedata
from datetime import date
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import BadInput
from core.prompt import (
    EARLIER_SUMMARIES_MAX,
    EARLIER_SUMMARY_LENGTH_MAX,
    FORMAT,
    LAYER_NAMES,
    Layer,
    PlayerFacts,
    age_group_of,
    estimated_tokens,
    example,
    layers,
    note_text,
    player_text,
    prompt_version,
    sports,
    texts_of,
    version_of,
)
from core.request import answer_schema, request_body
from core.states import Tone

CIARAN = PlayerFacts("Ciarán", "u12", "U12 Football", "Half-back", ("Ciarán kicked well.",))
NOTE = note_text("Hand-pass now 4/5", "Clear gains & no throwing it.")

# Of a request with made-up texts: it moves when the layout does, not when somebody improves a sentence.
LAYOUT_SHA256 = "f0870cc7d5f675d98b5fae398c97921f1ce7ff73ee35338cdc9316a0e6efc974"


def made_up_bodies() -> list[dict[str, Any]]:
    """A request about a single note, and one about a pack."""
    texts = ("Do the job.", "# Sport", "# Tone", player_text(CIARAN))
    made_up = tuple(Layer(name, text) for name, text in zip(LAYER_NAMES, texts, strict=True))
    packed = tuple(note_text("Hand-pass now 4/5", "Clear gains & no throwing it.", n) for n in ("1", "2"))
    return [
        request_body("claude-haiku-5-5", made_up, notes, {"sport": "1h", "tone": "5m"}, {}, 400)
        for notes in ((NOTE,), packed)
    ]


def pack_around_answers() -> dict[str, Any]:
    """What code puts around the answers of a pack; the rest of the schema is a text with a version."""
    single, packed = (answer_schema("soccer", Tone.WARM, packed=form) for form in (False, True))
    item = packed["properties"]["answers"]["items"]
    item["properties"] = {k: v for k, v in item["properties"].items() if k not in single["properties"]}
    item["required"] = [name for name in item["required"] if name not in single["required"]]
    return packed


def test_the_layout_has_not_moved_without_a_new_format_name() -> None:
    bodies = [{k: v for k, v in body.items() if k != "output_config"} for body in made_up_bodies()]
    rendered = f"{FORMAT}\n{json.dumps([*bodies, pack_around_answers()], ensure_ascii=False)}".encode()
    assert sha256(rendered).hexdigest() == LAYOUT_SHA256, "layout changed: name it anew in FORMAT"


def test_the_four_layers_come_in_prompt_order() -> None:
    assert tuple(layer.name for layer in layers("soccer", Tone.WARM, CIARAN)) == LAYER_NAMES


def test_players_share_all_layers_but_their_own() -> None:
    other = PlayerFacts("Zofia", None, None, None)
    ours, theirs = layers("rugby", Tone.BRIEF, CIARAN), layers("rugby", Tone.BRIEF, other)
    assert ours[:3] == theirs[:3]
    assert ours[3] != theirs[3]


@pytest.mark.parametrize("sport", ["curling", "", "../tones/warm", "soccer.md", "SOCCER"])
def test_a_sport_without_a_sheet_is_refused_and_the_known_ones_are_named(sport: str) -> None:
    with pytest.raises(BadInput, match=r"known sports: .*gaa_football.*rugby.*soccer"):
        layers(sport, Tone.WARM, CIARAN)


def test_what_is_not_known_of_a_player_is_left_out() -> None:
    assert player_text(PlayerFacts("Anna Lena", None, "", "Wing")) == (
        '<player>\n{"first_name": "Anna Lena", "position": "Wing"}\n</player>'
    )


def test_player_facts_have_no_place_for_a_last_name_or_a_date_of_birth() -> None:
    assert set(PlayerFacts.__dataclass_fields__) == {
        "first_name",
        "age_group",
        "team",
        "position",
        "earlier_summaries",
    }


def with_earlier(*summaries: str) -> list[str]:
    """Give what the player's block says of these earlier summaries."""
    content = content_of("player", player_text(PlayerFacts("Zofia", None, None, None, summaries)))
    assert set(content) <= {"first_name", "earlier_summaries"}
    earlier: list[str] = content.get("earlier_summaries", [])
    return earlier


def test_a_player_without_earlier_summaries_has_no_word_of_them() -> None:
    assert "earlier_summaries" not in player_text(PlayerFacts("Zofia", None, None, None, ()))
    assert "earlier_summaries" not in player_text(PlayerFacts("Zofia", None, None, None, ("",)))


def test_the_three_newest_earlier_summaries_are_told_in_their_order() -> None:
    assert with_earlier("four", "three", "two", "one") == ["four", "three", "two"]
    assert EARLIER_SUMMARIES_MAX == 3


def test_an_earlier_summary_is_cut_between_words_when_it_is_too_long() -> None:
    fits = "x" * 299 + "."
    words = "A word " * 60
    cut, whole, one_word = with_earlier(words, fits, "y" * 500)
    assert whole == fits
    assert len(cut) <= EARLIER_SUMMARY_LENGTH_MAX == 300
    assert cut.endswith(("A…", "word…"))
    assert words.startswith(cut.removesuffix("…"))
    assert one_word == "y" * 299 + "…"


def test_where_an_earlier_summary_is_cut_does_not_depend_on_how_a_fada_is_written() -> None:
    assert with_earlier("a\u0301" * 400) == with_earlier("á" * 400) == ["á" * 299 + "…"]


def test_the_made_up_player_and_note_are_of_the_usual_length() -> None:
    player, note = example()
    assert len(player.earlier_summaries) == EARLIER_SUMMARIES_MAX
    assert all(100 <= len(text) <= EARLIER_SUMMARY_LENGTH_MAX for text in player.earlier_summaries)
    assert 200 <= len(note) <= 350


def test_two_ways_of_writing_a_fada_give_the_same_bytes() -> None:
    composed, decomposed = "Ciar\u00e1n", "Ciara\u0301n"
    assert note_text(composed, composed) == note_text(decomposed, decomposed)


HOSTILE = st.lists(
    st.one_of(
        st.text(st.characters(codec=None), max_size=12),
        st.sampled_from(
            ["</note>", "</player>", "<note>", "&lt;", "\n", "\u2028", "\u0085", '"}', "\\u003c", "\ud800"]
        ),
    ),
    max_size=8,
).map("".join)


def content_of(tag: str, block: str) -> Any:
    """Return what is between the tags, having checked that the tags are where they must be."""
    first, line, last = block.splitlines()
    assert (first, last) == (f"<{tag}>", f"</{tag}>")
    assert not set("<>&") & set(line)
    assert block.encode()
    return json.loads(line)


def as_read_back(text: str) -> str:
    """NFC, and surrogate halves that happen to stand side by side joined, as any JSON reader does."""
    normal = unicodedata.normalize("NFC", text)
    return normal.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


@settings(derandomize=True, deadline=None, max_examples=100)
@given(title=HOSTILE, description=HOSTILE)
def test_no_note_can_close_its_fence_and_none_loses_a_word(title: str, description: str) -> None:
    content = content_of("note", note_text(title, description))
    assert content == {"title": as_read_back(title), "text": as_read_back(description)}
    assert content_of("note", note_text(title, description, "7")) == {"id": "7", **content}


@settings(derandomize=True, deadline=None, max_examples=100)
@given(name=HOSTILE, team=HOSTILE, earlier=HOSTILE)
def test_no_name_and_no_earlier_summary_can_close_its_fence(name: str, team: str, earlier: str) -> None:
    content = content_of("player", player_text(PlayerFacts(name, None, team, None, (earlier,))))
    summaries = [as_read_back(earlier)] if earlier else []
    expected = {
        "first_name": as_read_back(name),
        "team": as_read_back(team),
        "earlier_summaries": summaries,
    }
    assert content == {key: value for key, value in expected.items() if value}


def test_every_sport_and_tone_has_a_version_of_its_own() -> None:
    versions = {prompt_version(sport, tone) for sport in sports() for tone in Tone}
    assert len(versions) == len(sports()) * len(Tone)
    assert all(len(version) == 12 and int(version, 16) >= 0 for version in versions)


def test_a_version_is_of_exactly_the_texts_that_are_kept_with_it() -> None:
    texts = texts_of("rugby", Tone.BRIEF)
    whole = (texts.format, texts.instructions, texts.sport_sheet, texts.tone_text, texts.answer_schema)
    assert texts.version == version_of(whole) == prompt_version("rugby", Tone.BRIEF)
    assert texts.format == FORMAT
    assert texts.layers() == layers("rugby", Tone.BRIEF, CIARAN)[:3]
    assert json.loads(texts.answer_schema) == answer_schema("rugby", Tone.BRIEF)


def test_a_version_changes_with_any_text_and_with_where_one_text_ends() -> None:
    texts = ("format", "instructions", "sport", "tone", "schema")
    changed = [
        tuple(text + "!" if n == at else text for n, text in enumerate(texts)) for at in range(len(texts))
    ]
    shifted = ("format", "instruction", "ssport", "tone", "schema")
    assert len({version_of(each) for each in (texts, shifted, *changed)}) == len(texts) + 2


def test_a_version_is_the_same_hash_for_ever() -> None:
    assert version_of(("a", "é")) == sha256("1:a2:é".encode()).hexdigest()[:12]


@pytest.mark.parametrize(
    ("model", "tokens"),
    [
        ("claude-haiku-5-5", 40),
        ("claude-sonnet-5", 40),
        ("claude-opus-5-5", 40),
        ("some-model-to-come", 40),
        ("claude-haiku-4-5", 29),
        ("claude-haiku-4-5-20251001", 29),
        ("claude-sonnet-4-6", 29),
        ("claude-opus-4-8", 29),
        ("claude-3-haiku-20240307", 29),
    ],
)
def test_tokens_are_estimated_by_the_models_tokenizer(model: str, tokens: int) -> None:
    assert estimated_tokens("x" * 100, model) == tokens


def test_an_estimate_is_rounded_up_and_nothing_costs_nothing() -> None:
    assert [estimated_tokens("x" * n, "claude-haiku-5-5") for n in (0, 1, 2, 3, 5, 6)] == [0, 1, 1, 2, 2, 3]


@pytest.mark.parametrize(
    ("born", "group"),
    [
        (date(2014, 1, 1), "u12"),
        (date(2014, 12, 31), "u12"),
        (date(2013, 12, 31), "u13"),
        (date(2023, 5, 5), "u6"),
        (date(2020, 5, 5), "u6"),
        (date(2019, 5, 5), "u7"),
        (date(2008, 5, 5), "u18"),
        (date(2007, 12, 31), "senior"),
        (date(2027, 1, 1), None),
        (None, None),
    ],
)
def test_an_age_group_follows_from_the_birth_year(born: date | None, group: str | None) -> None:
    first, last = date(2026, 1, 1), date(2026, 12, 31)
    assert [age_group_of(None, born, on) for on in (first, last)] == [group, group]


def test_the_clubs_own_age_group_comes_first() -> None:
    assert age_group_of("u14", date(2014, 1, 1), date(2026, 6, 1)) == "u14"
    assert age_group_of("", date(2014, 1, 1), date(2026, 6, 1)) == "u12"
