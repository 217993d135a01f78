"""P2: statuses only rise, in the order the protocol gives."""

from contracts.status import FINAL, RANKS, TAKEN, End, Status

ORDER = ["accepted", "scheduled", "retrying", "cancelled", "expired", "rejected", "failed", "sent", "undelivered"]
ORDER += ["delivered"]


def test_p2_the_ranks_are_those_of_the_protocol() -> None:
    assert [status.value for status in sorted(Status, key=lambda status: status.rank)] == ORDER
    assert [RANKS[Status(name)] for name in ORDER] == list(range(10))


def test_p2_only_a_provider_speaks_after_the_end() -> None:
    assert set(ORDER[3:]) == FINAL
    assert {"sent", "undelivered", "delivered"} == TAKEN


def test_p2_a_taken_notification_is_never_shown_as_cancelled() -> None:
    assert all(taken.rank > other.rank for taken in TAKEN for other in set(Status) - TAKEN)


def test_p2_an_end_is_a_status_and_a_reason() -> None:
    assert {end: end.outcome for end in End} == {
        End.CANCELLED: Status.CANCELLED,
        End.EXPIRED: Status.EXPIRED,
        End.COLLAPSED: Status.CANCELLED,
        End.FORGOTTEN: Status.CANCELLED,
    }
