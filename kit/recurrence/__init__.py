"""When something that repeats comes next. Pure: the zone and the time are arguments; the gateway previews with it what
the scheduler does.

- **A gap** (the clocks go forward): what is planned at a fixed time of day that does not exist comes at the gap's end,
  once. What runs at every so many minutes or hours (minute or hour begins with `*`) just goes on.
- **An overlap** (the clocks go back): what is planned at a fixed time of day that exists twice comes once, the first
  time. What runs at every so many minutes or hours comes in both passes: it follows real time.
- `every_seconds` counts real seconds, whatever the clocks do.
- **A misfire** (nobody was there to fire): `misfire.py`.
"""

from kit.recurrence.cron import BadCron
from kit.recurrence.misfire import Caught, Policy, caught_up
from kit.recurrence.preview import Firing, preview
from kit.recurrence.rule import BadRule, Rule

__all__ = ["BadCron", "BadRule", "Caught", "Firing", "Policy", "Rule", "caught_up", "preview"]
