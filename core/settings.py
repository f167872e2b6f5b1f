"""What can be set from outside: one frozen class, read at the edges and passed inward."""

from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from core.errors import BadInput, NotReady
from core.markers import LifetimePolicy

INSIGHTS_PER_CALL_MAX = 20
VENDOR_BASE_URL = "https://api.anthropic.com"


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


class Settings(BaseSettings):
    """Environment variables: `TOUCHLINE_*`, and the three that other tools know by name."""

    model_config = SettingsConfigDict(
        env_prefix="TOUCHLINE_", frozen=True, env_ignore_empty=True, extra="ignore"
    )

    anthropic_api_key: SecretStr | None = Field(None, validation_alias="ANTHROPIC_API_KEY")
    anthropic_base_url: str | None = Field(None, validation_alias="ANTHROPIC_BASE_URL")
    database_url: SecretStr | None = Field(None, validation_alias="DATABASE_URL")

    home: Path = Path(".touchline")
    model: str = "claude-haiku-5-5"
    fallback_model: str = "claude-haiku-4-5"
    insights_per_call: int = Field(
        5, ge=1, le=INSIGHTS_PER_CALL_MAX
    )  # of one player; longer answers are cut more often
    cache_lifetime: LifetimePolicy = "auto"  # of the planner's markers; anything else is for comparisons
    concurrency: int = Field(16, ge=1, le=1000)  # calls in flight at once
    lease_seconds: int = Field(600, ge=300)  # far longer than one request and its settling may take
    revocation_minutes: int = Field(60, ge=0)
    live_base_urls: Annotated[tuple[str, ...], NoDecode] = (VENDOR_BASE_URL,)
    log_format: Literal["text", "json"] = "text"
    log_level: Annotated[Literal["debug", "info", "warning", "error"] | None, BeforeValidator(_lower)] = (
        None  # of our own lines: else info where a worker runs them, warning by hand
    )
    time_zone: str = "UTC"  # of the schedules that follow people's days
    alert_webhook: SecretStr | None = None  # Prefect's server tells it what needs a person
    admin_api_key: SecretStr | None = None

    @field_validator("live_base_urls", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return (
            tuple(part.strip() for part in value.split(",") if part.strip())
            if isinstance(value, str)
            else value
        )

    @field_validator("time_zone")
    @classmethod
    def _is_a_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError("not a time zone of the IANA database, such as Europe/Dublin") from None
        return name

    def packing(self, insights_per_call: int | None) -> "Settings":
        """Return the settings with another number of insights per call, when one is given.

        Raises BadInput for one that is out of range.
        """
        if insights_per_call is None:
            return self
        if not 1 <= insights_per_call <= INSIGHTS_PER_CALL_MAX:
            raise BadInput(f"A call takes 1 to {INSIGHTS_PER_CALL_MAX} insights, not {insights_per_call}.")
        return self.model_copy(update={"insights_per_call": insights_per_call})

    @property
    def base_url(self) -> str:
        """Where calls go: the given base URL, else the vendor's own."""
        return self.anthropic_base_url or VENDOR_BASE_URL

    @property
    def account(self) -> str:
        """Name whose prompt cache and limits calls use: 16 hex digits of address and key, not the key."""
        key = self.anthropic_api_key.get_secret_value() if self.anthropic_api_key else ""
        return sha256(f"{self.base_url}\n{key}".encode()).hexdigest()[:16]

    @property
    def revocation(self) -> timedelta:
        """How long what was approved by rule waits for a coach who would rather take it back."""
        return timedelta(minutes=self.revocation_minutes)

    @property
    def rehearsal(self) -> bool:
        """True when summaries are made elsewhere than at a live address, and so never deliverable."""
        return self.base_url.rstrip("/") not in {url.rstrip("/") for url in self.live_base_urls}

    def require_api(self) -> None:
        """Raise NotReady when nothing says where to call."""
        if self.anthropic_api_key is None and self.anthropic_base_url is None:
            raise NotReady(
                "There is no ANTHROPIC_API_KEY and no ANTHROPIC_BASE_URL; nothing was sent. "
                "Set the key, or rehearse without one: run `touchline emulator` in a second terminal and set "
                "ANTHROPIC_BASE_URL to the address it prints."
            )

    @classmethod
    def variable(cls, field: str) -> str:
        """Return the environment variable of a field; a field's alias is its variable."""
        alias = cls.model_fields[field].validation_alias if field in cls.model_fields else field
        return str(alias or f"TOUCHLINE_{field.upper()}")
