"""How long something takes when it is done many times."""

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Spread:
    """The seconds of every time."""

    seconds: tuple[float, ...]

    @property
    def minimum(self) -> float:
        """The fastest."""
        return min(self.seconds)

    @property
    def median(self) -> float:
        """The one in the middle; of two, the slower."""
        return self._at(0.5)

    @property
    def p95(self) -> float:
        """What 95 of 100 stay below; of a few, the slowest."""
        return self._at(0.95)

    def _at(self, share: float) -> float:
        return sorted(self.seconds)[min(int(share * len(self.seconds)), len(self.seconds) - 1)]


def timed(ask: Callable[[], Answer]) -> tuple[Answer, float]:
    """Return an answer and the seconds that it took."""
    began = time.perf_counter()
    answer = ask()
    return answer, time.perf_counter() - began


def in_turns(asks: Sequence[Callable[[], Answer]], times: int) -> tuple[list[Answer], list[Spread]]:
    """Time several in turns, so that whatever else the machine does meets all of them.

    Each is asked once before, and not timed: gives those answers too.
    """
    answers = [ask() for ask in asks]
    gc.collect()
    rounds = [[timed(ask)[1] for ask in asks] for _ in range(times)]
    return answers, [Spread(seconds) for seconds in zip(*rounds, strict=True)]
