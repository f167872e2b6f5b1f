"""What is due before a run claims any of it: how many insights of how many players, by sport and tone."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from core.claimed import ClaimedInsight
from core.pricing import CacheTtl
from core.states import Tone


@dataclass(frozen=True, slots=True)
class Group:
    """The insights that are due in one sport and tone."""

    sport: str
    tone: Tone
    sizes: Mapping[int, int]  # how many players (of one coach each) have so many insights due
    arrivals_per_hour: float = 0.0  # insights that came in during the last hour

    @property
    def insights(self) -> int:
        """The number of insights."""
        return sum(size * players for size, players in self.sizes.items())

    def packs(self, insights_per_call: int) -> Counter[int]:
        """Count the packs by size when none holds more than so many insights."""
        packs: Counter[int] = Counter()
        for size, players in self.sizes.items():
            for part in split(size, insights_per_call):
                packs[part] += players
        return packs


@dataclass(frozen=True, slots=True)
class Survey:
    """What is due, what is warm, and how often runs come."""

    groups: Sequence[Group]
    warm: Mapping[str, CacheTtl] = field(default_factory=dict)  # prefix keys that can be read, with lifetimes
    run_every_seconds: float = 900.0  # as deployed, until runs have shown another rhythm

    @property
    def insights(self) -> int:
        """The number of insights that are due."""
        return sum(group.insights for group in self.groups)


def split(insights: int, insights_per_call: int) -> tuple[int, ...]:
    """Split one player's insights into as few packs as possible, of sizes as equal as possible."""
    packs = -(-insights // insights_per_call)
    return tuple(insights // packs + (place < insights % packs) for place in range(packs))


def survey_of(insights: Iterable[ClaimedInsight]) -> Survey:
    """Survey insights that are at hand already."""
    of_players = Counter((one.sport, one.tone, one.player_id, one.coach_id) for one in insights)
    sizes: dict[tuple[str, Tone], Counter[int]] = {}
    for (sport, tone, *_), number in of_players.items():
        sizes.setdefault((sport, tone), Counter())[number] += 1
    return Survey([Group(sport, tone, counted) for (sport, tone), counted in sizes.items()])
