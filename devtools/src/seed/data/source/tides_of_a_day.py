# The tides of Port Elin on a day, as one program: reads the day (YYYY-MM-DD), prints high and low waters.
import sys
from datetime import datetime, timedelta, timezone
from math import cos, radians

EPOCH = datetime(2020, 1, 1, tzinfo=timezone.utc)
MEAN_LEVEL = 2.04
# Metres, degrees an hour, degrees.
CONSTITUENTS = [
    (1.02, 28.9841042, 41.0),
    (0.36, 30.0, 83.5),
    (0.21, 28.4397295, 20.2),
    (0.09, 15.0410686, 164.0),
    (0.07, 13.9430356, 12.5),
]


def height(at):
    hours = (at - EPOCH).total_seconds() / 3600
    return MEAN_LEVEL + sum(a * cos(radians(speed * hours - phase)) for a, speed, phase in CONSTITUENTS)


day = datetime.strptime(sys.stdin.read().strip(), "%Y-%m-%d").replace(tzinfo=timezone.utc)
minutes = [day + timedelta(minutes=minute) for minute in range(-1, 24 * 60 + 1)]
heights = [height(at) for at in minutes]
print(f"Port Elin, {day:%Y-%m-%d}, metres above chart datum, times in UTC")
for before, (at, now), after in zip(heights, list(zip(minutes, heights))[1:], heights[2:]):
    if before < now >= after or before > now <= after:
        print(f"{at:%H:%M}  {'high' if before < now else 'low ':4}  {now:.2f}")
