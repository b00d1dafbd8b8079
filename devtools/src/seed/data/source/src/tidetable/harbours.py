"""The harbours, and the constants of their tides."""

from dataclasses import dataclass

# Degrees an hour.
SPEEDS = {
    "M2": 28.9841042,
    "S2": 30.0,
    "N2": 28.4397295,
    "K1": 15.0410686,
    "O1": 13.9430356,
}


@dataclass(frozen=True)
class Constituent:
    """One of the cosines that make up a tide."""

    name: str
    amplitude: float  # metres
    phase: float  # degrees, at the epoch

    @property
    def speed(self) -> float:
        return SPEEDS[self.name]


@dataclass(frozen=True)
class Harbour:
    name: str
    mean_level: float  # metres above chart datum
    constituents: tuple[Constituent, ...]


def _harbour(name: str, mean_level: float, **constants: tuple[float, float]) -> Harbour:
    constituents = (Constituent(key.upper(), *value) for key, value in constants.items())
    return Harbour(name, mean_level, tuple(constituents))


HARBOURS = {
    "port-elin": _harbour(
        "Port Elin", 2.04, m2=(1.02, 41.0), s2=(0.36, 83.5), n2=(0.21, 20.2), k1=(0.09, 164.0), o1=(0.07, 12.5)
    ),
    "skerry-bay": _harbour(
        "Skerry Bay", 1.71, m2=(0.84, 52.3), s2=(0.29, 95.1), n2=(0.17, 31.0), k1=(0.08, 170.8), o1=(0.06, 18.9)
    ),
    "marsund": _harbour(
        "Marsund", 1.12, m2=(0.47, 118.6), s2=(0.15, 160.2), n2=(0.10, 97.4), k1=(0.06, 201.3), o1=(0.05, 44.0)
    ),
}
