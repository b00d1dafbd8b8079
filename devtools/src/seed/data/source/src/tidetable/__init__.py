"""Predicts tides from harmonic constants."""

from .harbours import HARBOURS, Constituent, Harbour
from .predict import Turn, height, turns

__all__ = ["HARBOURS", "Constituent", "Harbour", "Turn", "height", "turns"]
