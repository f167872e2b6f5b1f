"""An insight that a run holds, with all that its prompt needs."""

from dataclasses import dataclass
from datetime import date, datetime

from core import prompt
from core.states import Tone


@dataclass(frozen=True, slots=True)
class ClaimedInsight:
    """An insight that this run holds, with all that its prompt needs."""

    id: str
    organization_id: str
    coach_id: str
    player_id: str
    title: str
    description: str
    category: str | None  # the extractor's word
    created_at: datetime
    sport: str  # what the note is about
    player_sport: str  # the player's main one
    tone: Tone
    skip_sensitive: bool
    first_name: str
    last_name: str | None  # only to be taken out of the note
    age_group: str | None
    date_of_birth: date | None
    team: str | None
    position: str | None
    earlier_summaries: tuple[str, ...] = ()  # of the player, as sent to the parents, newest first
    unusable_answers: int = 0  # so many that batches have given already: it is asked about alone

    def player_text(self, now: datetime) -> str:
        """Return the layer about the child; of a note on another sport, team and position say nothing."""
        own_sport = self.sport == self.player_sport
        return prompt.player_text(
            prompt.PlayerFacts(
                first_name=self.first_name,
                age_group=prompt.age_group_of(self.age_group, self.date_of_birth, now.date()),
                team=self.team if own_sport else None,
                position=self.position if own_sport else None,
                earlier_summaries=tuple(map(self._nameless, self.earlier_summaries)),
            )
        )

    def note_text(self, note_id: str | None = None) -> str:
        """Return the fenced note, without the player's last name."""
        return prompt.note_text(self._nameless(self.title), self._nameless(self.description), note_id)

    def _nameless(self, text: str) -> str:
        return prompt.without_last_name(text, self.first_name, self.last_name)
