"""A simulated year: the real portal, its real jobs and the sandbox's gateway and cluster, under a clock that is moved.

`python -m bench.year --customers 1000 --seed 1` lives through a year of sign-ups, top-ups, faults, upgrades,
cancellations, promo codes, refunds at the gateway, new prices, month ends, a leap day, and days on which the gateway or
the cluster is away. Every simulated day it checks slots, periods, apps and notices, and what changed in the books;
every month the books as a whole. It prints what happened, and stops at the first broken promise with the seed and the
day.

| module | holds |
|---|---|
| `town` | the portal and the outside world, time, queued and periodic work |
| `people` | customers and their habits |
| `choices` | what a customer does now and then |
| `office` | what the operator does: promo codes, refunds, corrections, new prices |
| `trouble` | outages, banks that change their mind, apps that do not come up |
| `checks` | what must hold, every day and every month |
"""
