"""What can be set from outside, and within which bounds."""

import pytest
from pydantic import ValidationError

from core.errors import BadInput
from core.settings import INSIGHTS_PER_CALL_MAX, Settings


def test_a_call_takes_five_insights_unless_told_otherwise() -> None:
    assert Settings().insights_per_call == 5
    assert Settings().cache_lifetime == "auto"


@pytest.mark.parametrize("number", [0, 21, -1])
def test_a_call_takes_one_to_twenty_insights(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    with pytest.raises(BadInput, match=f"1 to 20 insights, not {number}"):
        Settings().packing(number)
    monkeypatch.setenv("TOUCHLINE_INSIGHTS_PER_CALL", str(number))
    with pytest.raises(ValidationError, match="insights_per_call"):
        Settings()


@pytest.mark.parametrize("number", [1, 20])
def test_the_ends_of_the_range_are_within_it(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    assert Settings().packing(number).insights_per_call == number
    monkeypatch.setenv("TOUCHLINE_INSIGHTS_PER_CALL", str(number))
    assert Settings().insights_per_call == number
    assert INSIGHTS_PER_CALL_MAX == 20


def test_another_packing_changes_nothing_else_and_none_changes_nothing() -> None:
    settings = Settings(concurrency=7)
    assert settings.packing(None) is settings
    assert settings.packing(2) == settings.model_copy(update={"insights_per_call": 2})
    assert settings.insights_per_call == 5


def test_a_lifetime_is_one_of_the_four_policies(monkeypatch: pytest.MonkeyPatch) -> None:
    for policy in ("auto", "none", "5m", "1h"):
        monkeypatch.setenv("TOUCHLINE_CACHE_LIFETIME", policy)
        assert Settings().cache_lifetime == policy
    monkeypatch.setenv("TOUCHLINE_CACHE_LIFETIME", "2h")
    with pytest.raises(ValidationError, match="cache_lifetime"):
        Settings()


def test_an_account_is_named_by_address_and_key_and_tells_neither(monkeypatch: pytest.MonkeyPatch) -> None:
    names = set()
    for key, address in (("sk-1", "http://a"), ("sk-2", "http://a"), ("sk-1", "http://b")):
        monkeypatch.setenv("ANTHROPIC_API_KEY", key)
        monkeypatch.setenv("ANTHROPIC_BASE_URL", address)
        names.add(Settings().account)
        assert key not in Settings().account
    assert len(names) == 3
    assert all(len(name) == 16 for name in names)
