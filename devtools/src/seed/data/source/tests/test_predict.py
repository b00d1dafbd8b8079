import unittest
from datetime import datetime, timedelta, timezone

from tidetable import HARBOURS, height, turns

DAY = datetime(2026, 6, 1, tzinfo=timezone.utc)
ELIN = HARBOURS["port-elin"]


class Heights(unittest.TestCase):
    def test_the_mean_over_a_year_is_the_mean_level(self):
        hours = [height(ELIN, DAY + timedelta(hours=hour)) for hour in range(365 * 24)]
        self.assertAlmostEqual(sum(hours) / len(hours), ELIN.mean_level, places=2)

    def test_no_height_is_beyond_the_sum_of_the_amplitudes(self):
        most = sum(constituent.amplitude for constituent in ELIN.constituents)
        for hour in range(30 * 24):
            self.assertLessEqual(abs(height(ELIN, DAY + timedelta(hours=hour)) - ELIN.mean_level), most)


class Turns(unittest.TestCase):
    def test_high_and_low_water_take_turns(self):
        found = list(turns(ELIN, DAY, DAY + timedelta(days=7)))
        self.assertIn(len(found), range(26, 30))
        for before, after in zip(found, found[1:]):
            self.assertNotEqual(before.is_high, after.is_high)
            self.assertEqual(before.is_high, before.height > after.height)

    def test_a_turn_is_the_highest_minute_around_it(self):
        high = next(turn for turn in turns(ELIN, DAY, DAY + timedelta(days=1)) if turn.is_high)
        for minutes in (-20, -5, 5, 20):
            self.assertLess(height(ELIN, high.at + timedelta(minutes=minutes)), high.height)


if __name__ == "__main__":
    unittest.main()
