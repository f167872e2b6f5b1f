"""The texts of every prompt version that was ever used, so that an old summary can be explained."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from core.states import Tone
from models.base import checked
from models.sql import Queries, load


class Prompt(SQLModel, table=True):
    """One version, written by the run that used it first and never changed.

    `summary.prompt_version` and the ledger's carry no foreign key to it: older rows know versions whose
    texts were not kept yet.
    """

    version: str = Field(primary_key=True)  # 12 hex digits, the hash of the texts
    sport: str
    tone: Tone = Field(sa_type=checked(Tone, "tone"))
    format: str  # names the layout that put the texts together
    instructions: str
    sport_sheet: str
    tone_text: str
    answer_schema: str
    first_used_at: datetime


QUERIES: Queries = load("prompt.sql")
