"""`python -m bench.year --customers N --seed S`: see the package."""

from __future__ import annotations

import argparse
import resource
import sys
import time
from datetime import date, datetime, timedelta
from datetime import time as time_of_day

from bench.world import world
from portal.core.clock import JAKARTA

BEGINS_ON = date(2027, 6, 28)
"""So that a year holds a leap day, and every month's end."""
MOMENTS = (time_of_day(4, 40), time_of_day(12, 30), time_of_day(23, 40))
"""When time stops on its way through a day, in Jakarta: after the night's runs, and when people are awake."""


def main() -> None:
    """Lives the year; exits 1 at the first broken promise."""
    parser = argparse.ArgumentParser(prog="python -m bench.year", description=__doc__)
    parser.add_argument("--customers", type=int, default=100, help="who signs up over the year (100)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed lives the same year (1)")
    parser.add_argument("--days", type=int, default=366, help="how long (366)")
    given = parser.parse_args()
    began_s = time.monotonic()
    with world(durable=False) as bench:
        broken = live(bench, customers=given.customers, seed=given.seed, days=given.days)
    took_s = time.monotonic() - began_s
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{given.days} days with {given.customers} customers in {took_s:.0f} s, {peak_mib} MiB at most")
    print(f"result: {'broken' if broken else 'every promise was kept'}, seed {given.seed}")
    sys.exit(1 if broken else 0)


def live(bench: object, *, customers: int, seed: int, days: int) -> bool:
    """True when a promise broke."""
    from bench.year.checks import Broken, Checks
    from bench.year.office import Office
    from bench.year.people import Crowd
    from bench.year.town import town
    from bench.year.trouble import Trouble
    from portal.core import clock

    began_s = time.monotonic()
    with clock.at(_moment(BEGINS_ON, time_of_day(0, 5))), town(bench) as here:  # type: ignore[arg-type]
        crowd = Crowd(here, count=customers, seed=seed, days=days)
        office = Office(here, customers=customers, seed=seed)
        trouble, checks = Trouble(here, seed=seed), Checks(here)
        for number in range(days):
            today = BEGINS_ON + timedelta(days=number)
            try:
                for moment in MOMENTS:
                    here.move_to(_moment(today, moment))
                    trouble.strike(today, moment)
                    crowd.act(number)
                    trouble.deliver_news()
                    here.work()
                office.work(today)
                here.work()
                checks.after_day(today)
            except Broken as broken:
                print(f"\nBROKEN on {today} (day {number + 1}, seed {seed}):\n{broken}")
                return True
            if today.day == 1 or number == days - 1:
                print(f"{checks.progress(today)}; {time.monotonic() - began_s:.0f} s", flush=True)
        for line in checks.story():
            print(line)
        return False


def _moment(day: date, at: time_of_day) -> datetime:
    return datetime.combine(day, at, JAKARTA)


if __name__ == "__main__":
    main()
