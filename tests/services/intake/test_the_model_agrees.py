"""The simulation of the protocol and the rules as built come to the same, event by event (tests/model)."""

from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts import events as e
from contracts.status import Status
from services.intake.rules.hearing import heard, postponed
from services.intake.rules.row import Row, State
from tests.model import intake as model
from tests.model.knobs import KNOBS
from tests.model.rules import RULES
from tests.model.tables import IntakeRow, Record
from tests.model.world import World
from tests.services.intake.samples import FACTS, NOON, Intake, again, at, cancel, id_of, in_, move, requested, ripe

EXPIRES = 36_000
WORDS = {"A": "How are you?", "B": "Something else."}


def world() -> World:
    """One of which nothing but intake's tables is looked at: nobody runs in it, nothing breaks."""
    return World(0, loops={}, drop=KNOBS, instances=(0, 0, 0, 0))


class Both:
    """The same events for the model and for the rules."""

    def __init__(self, planned: int) -> None:
        self.world = world()
        self.intake = Intake()
        self.planned = planned

    @property
    def theirs(self) -> IntakeRow | None:
        return self.world.intake.rows.get(1)

    @property
    def ours(self) -> Row | None:
        return self.intake.rows.get(id_of("k1"))

    def hear(self, record: Record, event: e.Event) -> None:
        said = model.judge(self.world, [{**record, "id": 1, "ts": self.world.now}])
        mine = self.intake.hear(event, self.world.now)
        words = [*map(ours, mine)], [theirs(*one) for one in said]
        if "move_refused" in words[0]:  # we say the outcome beside it, if there is one; the model does so now and then
            words = words[0][:1], words[1][:1]
        assert words[0] == words[1]
        self.compare()

    def compare(self) -> None:
        row, other = self.ours, self.theirs
        if other is None:
            assert row is None or row.is_stub
            return
        assert row is not None
        assert row.outcome == other.outcome
        assert row.state == ("ended" if other.outcome else other.state)
        assert row.round == other.round + 1
        assert row.end == other.end
        if row.state is State.WAITING:
            assert row.edit == other.edit
            assert row.planned_at == NOON + timedelta(seconds=other.at)

    # ---------------------------------------------------------------------------------------------- what happens

    def ask(self, body: str = "A", again: bool = False) -> None:
        fields: dict[str, Any] = {"send_at": in_(self.planned)} if self.planned else {}
        # Judged as new, it is due; the model leaves that to its sweep.
        again = again and self.theirs is not None
        event = requested(expires_at=in_(EXPIRES), body=WORDS[body], again=again, **fields)
        record: Record = {"type": "request", "body": body, "at": self.planned, "expires": EXPIRES, "accepted_at": 0}
        never: Record = {"inapp": False, "urgent": False, "group": False, "bad": False}
        self.hear({**record, **never, "again": again}, event)

    def cancel(self, again: bool = False) -> None:
        self.hear({"type": "cancel", "again": again}, cancel(again=again))

    def move(self, edit: int, to: int) -> None:
        stub = self.ours
        if stub and stub.is_stub and stub.state is State.ENDED:
            return  # only in what it answers to a cancelled stranger do the two differ
        self.hear({"type": "move", "edit": edit, "at": to}, move(edit=edit, to=to))

    def ripe(self, round: int) -> None:
        row = self.ours
        if row is None or row.is_stub:
            return
        if row.state is State.WAITING and row.planned_at and row.planned_at > at(self.world.now).now:
            return  # no timer of the model fires early
        self.hear({"type": "ripe", "round": round - 1}, ripe(round=round))

    def again(self) -> None:
        if self.theirs is not None:
            self.hear({"type": "again"}, again())

    def outcome(self, status: Status) -> None:
        row = self.ours
        if row is None or row.is_stub or not (row.is_open or status.is_taken):
            return  # the model gives all ends without a sending one rank
        common = row.common()
        event: e.Taken | e.Failed = (
            e.Delivered(**common, at=NOON) if status is Status.DELIVERED else e.Sent(**common, at=NOON)
        )
        if not status.is_taken:
            event = e.Failed.model_validate(common | {"outcome": status, "reason": "refused"})
        model.judge(self.world, [{"type": str(status), "id": 1, "ts": 0}])
        self.intake.rows[row.id] = heard(row, event, event.model_dump_json().encode())
        self.compare()

    def retry(self) -> None:
        if row := self.ours:
            model.judge(self.world, [{"type": "retry", "id": 1, "at": self.world.now + 300, "ts": 0}])
            self.intake.rows[row.id] = postponed(
                row, NOON + timedelta(seconds=self.world.now + 300), at(self.world.now)
            )
            self.compare()

    def wait(self, seconds: int) -> None:
        self.world.now = min(self.world.now + seconds, EXPIRES - 1)


def ours(event: e.Event) -> str:
    match event:
        case e.Scheduled(handed=handed):
            return "handed" if handed else "scheduled"
        case e.Due(end=end):
            return f"end {end}" if end else "due"
        case e.Failed(outcome=outcome):
            return str(outcome)
        case e.Taken(status=status):
            return str(status)
        case _:
            return event.ce_type.removeprefix("tocsin.")


def theirs(topic: str, record: Record) -> str:
    if topic == "scheduled":
        refused = record["type"] == "move_too_late"
        return "handed" if record.get("handed") else "move_refused" if refused else record["type"]
    if topic in ("due", "urgent"):
        return f"end {record['end']}" if record.get("end") else "due"
    return "request.refused" if record["id"] > 1000 else record["type"]


STEPS = st.one_of(
    st.builds(lambda body, again: lambda both: both.ask(body, again), st.sampled_from("AAB"), st.booleans()),
    st.builds(lambda again: lambda both: both.cancel(again), st.booleans()),
    st.builds(lambda edit, to: lambda both: both.move(edit, to), st.integers(1, 4), st.sampled_from([30, 3600, 7200])),
    st.builds(lambda round: lambda both: both.ripe(round), st.integers(1, 5)),
    st.builds(
        lambda status: lambda both: both.outcome(status),
        st.sampled_from([Status.SENT, Status.DELIVERED, Status.FAILED]),
    ),
    st.builds(lambda seconds: lambda both: both.wait(seconds), st.sampled_from([1, 60, 3600])),
    st.just(lambda both: both.again()),
    st.just(lambda both: both.retry()),
)


@settings(max_examples=600)
@given(st.sampled_from([0, 30, 3600]), st.lists(STEPS, max_size=20))
def test_p3_the_rules_say_what_the_model_says(planned: int, steps: list[Any]) -> None:
    both = Both(planned)
    for step in steps:
        step(both)


def test_the_model_still_knows_the_facts_this_compares() -> None:
    assert FACTS.policy and RULES["stored_verdict"].startswith("P3.1")
