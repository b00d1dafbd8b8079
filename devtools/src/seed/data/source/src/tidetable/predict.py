"""Heights, and the moments at which the tide turns."""

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from math import cos, radians
from typing import Iterator

from .harbours import Harbour

EPOCH = datetime(2020, 1, 1, tzinfo=timezone.utc)
STEP = timedelta(minutes=10)


@dataclass(frozen=True)
class Turn:
    """A high or a low water."""

    at: datetime
    height: float
    is_high: bool


def height(harbour: Harbour, at: datetime) -> float:
    """The height of the water, in metres above chart datum."""
    hours = (at - EPOCH).total_seconds() / 3600
    return harbour.mean_level + sum(
        c.amplitude * cos(radians(c.speed * hours - c.phase)) for c in harbour.constituents
    )


def turns(harbour: Harbour, since: datetime, until: datetime) -> Iterator[Turn]:
    """High and low waters, in order, to the minute."""
    at, rising = since, _is_rising(harbour, since)
    while at < until:
        after = at + STEP
        if _is_rising(harbour, after) != rising:
            turn = _narrow(harbour, at, rising)
            if turn < until:
                yield Turn(turn, height(harbour, turn), rising)
            rising = not rising
        at = after


def _is_rising(harbour: Harbour, at: datetime) -> bool:
    return height(harbour, at + timedelta(seconds=30)) > height(harbour, at - timedelta(seconds=30))


def _narrow(harbour: Harbour, at: datetime, rising: bool) -> datetime:
    """The first minute in which it no longer rises, or falls, as it did."""
    while _is_rising(harbour, at) == rising:
        at += timedelta(minutes=1)
    return at
