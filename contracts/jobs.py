"""The jobs that can be run by name, who owns the rows that each is about, and what comes of their answers together."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from contracts.topics import SERVICES

State = Literal["waiting", "running", "done", "failed"]
"""Of one service's part in a run, and of the run as a whole."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job; each of `owners` runs its part once, on any of its instances."""

    id: str
    owners: tuple[str, ...]
    sentence: str


_SCHEDULERS: Final = ("scheduler",)

JOBS: Final[Mapping[str, Job]] = {
    job.id: job
    for job in (
        Job("process_notifications", _SCHEDULERS, "Fire every timer that is due now, retries included."),
        Job("cleanup", SERVICES, "Delete what has been kept for long enough; never what is open."),
        Job("sweep", ("intake", "gateway"), "Drive again what is lost, and publish what nobody has published."),
        Job("daily_report", _SCHEDULERS, "Send each person the digest of the day."),
        Job("check_deadlines", _SCHEDULERS, "Look for reminders that are due."),
        Job("check_urgent", _SCHEDULERS, "Look for hourly reminders of urgent deadlines that are due."),
        Job("check_overdue", _SCHEDULERS, "Look for reminders of what is late that are due."),
    )
}

PAUSE: Final = "pause"
RESUME: Final = "resume"
TEST_CONNECTION: Final = "test_connection"
ORDERS: Final = frozenset({PAUSE, RESUME, TEST_CONNECTION})
"""What a service is told about one of its providers or channels; answered like the part of a job."""


def altogether(job: Job, answers: Mapping[str, State]) -> State:
    """The state of a run by what its owners have answered so far; one that failed does not hide one that still runs."""
    states = [answers.get(owner, "waiting") for owner in job.owners]
    if all(state in ("done", "failed") for state in states):
        return "failed" if "failed" in states else "done"
    return "running" if any(state != "waiting" for state in states) else "waiting"
