"""Prints a table: python -m tidetable HARBOUR [DAYS]"""

import sys
from datetime import datetime, timedelta, timezone

from . import HARBOURS, turns


def main() -> None:
    # An unknown harbour ends in a traceback; see the task.
    harbour = HARBOURS[sys.argv[1]]
    days = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    today = datetime.now(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
    print(f"{harbour.name}, metres above chart datum, times in UTC")
    for turn in turns(harbour, today, today + timedelta(days=days)):
        print(f"{turn.at:%Y-%m-%d  %H:%M}  {'high' if turn.is_high else 'low ':4}  {turn.height:.2f}")


if __name__ == "__main__":
    main()
