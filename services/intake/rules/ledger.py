"""A batch of events, applied in their order to the rows they concern; what is to be said comes out in that order."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import cached_property
from uuid import UUID

from contracts import events as e
from contracts.status import Status
from services.intake.rules import collapsing, digesting, editing
from services.intake.rules.accepting import answer, opened
from services.intake.rules.asking import Asked, asked, family, parts, step_id, step_ids
from services.intake.rules.facts import Facts, later
from services.intake.rules.limits import Place
from services.intake.rules.row import Moment, Row, State, Step

Spoken = list[e.Event]


class Ledger:
    """The rows of one batch. `rows` must hold those of all ids that `concerned` names and that exist."""

    def __init__(self, rows: Mapping[UUID, Row], facts: Facts, moment: Moment) -> None:
        self.rows = dict(rows)
        self.newest = dict(facts.newest)
        self.facts = facts
        self.moment = moment

    def hear(self, event: e.Event) -> Spoken:
        """Applies `event`; what is to be said because of it."""
        match event:
            case e.Requested() | e.Unacceptable():
                return self._request(asked(event))
            case e.Ripe():
                return self._ripe(event)
            case e.Cancel(id=UUID() as id):
                return self._each(id, lambda one: editing.cancel(self.rows.get(one), self._to(one, event), *self._now))
            case e.Move():
                return self._move(event)
            case e.Again(id=UUID() as id):
                return self._each(id, lambda one: editing.again(self.rows.get(one), self.facts))
            case _:
                return []

    @property
    def _now(self) -> tuple[Facts, Moment]:
        return self.facts, self.moment

    # -------------------------------------------------------------------------------------------------- requests

    def _request(self, whole: Asked) -> Spoken:
        """The notification; then those that follow from it, which share what was remembered of its id (P6.3)."""
        stub = self.rows.get(whole.id)
        said = self._accept(whole, None)
        if self.rows[whole.id].fingerprint != whole.fingerprint:
            return said
        memory = stub if stub and stub.is_stub else None
        if memory and memory.planned_at and memory.state is State.EXPECTED:
            whole = replace(whole, planned_at=memory.planned_at)
        for part in parts(whole):
            said += self._accept(part, memory and memory._replace(id=part.id, planned_at=None))
        return said

    def _accept(self, asked: Asked, memory: Row | None) -> Spoken:
        before = self.rows.get(asked.id) or memory
        step = answer(before, asked, *self._now)
        row = step.row
        if row and row.collapse_key and row.is_open and (before is None or before.is_stub):
            return self._collapse(row, step)
        return self._take(asked.id, step)

    def _collapse(self, row: Row, step: Step) -> Spoken:
        """P3.5: the newest stays, whichever comes first."""
        key = collapsing.key_of(row)
        older = self.newest.get(key)
        if older and collapsing.place_of(row) < older:
            return self._take(row.id, collapsing.stillborn(row, self.moment))
        self.newest[key] = collapsing.place_of(row)
        said = self._take(row.id, step)
        if older and older.id != row.id and (loser := self.rows.get(older.id)) and loser.is_open:
            said += self._take(loser.id, collapsing.collapsed(loser, *self._now))
        return said

    # -------------------------------------------------------------------------------------------------- what follows

    def _ripe(self, event: e.Ripe) -> Spoken:
        row = self.rows.get(event.id)
        if row and row.digest is not None and not self.facts.catching_up:
            return self._ripe_of_digest(row, row.digest, event)
        return self._ripe_alone(row, event)

    def _ripe_of_digest(self, row: Row, digest: UUID, event: e.Ripe) -> Spoken:
        """P3.8: the first of the members makes the digest, and says it again whenever it is repeated."""
        if digesting.is_member(row, digest, self.moment) and event.round == row.round:
            return self._make_digest(row, digest)
        made = self.rows.get(digest)
        said = self._ripe_alone(row, event)
        return [*said, *digesting.say_digest(made, self.facts)] if made and made.parent == row.id else said

    def _make_digest(self, first: Row, window: UUID) -> Spoken:
        """Of all that wait for it; of those that were too many for the one before, another of the same window."""
        said, gathered = self._gather(window)
        if not gathered:
            return said
        made = self.rows.get(window)
        id = window if digesting.is_to_be_made(made) else digesting.another(window, first)
        step = self._digest(gathered, first, id)
        if step is None:
            return [*said, *(one for row in gathered for one in self._alone(row))]
        if step.row and step.row.state is State.WAITING:
            return [*said, *self._wait_on(gathered, step.row, step.place)]
        for row in gathered:
            said += self._take(row.id, digesting.merged(row, id, self.moment))
        self._take(id, step)
        return [*said, *digesting.say_digest(self.rows[id], self.facts)]

    def _wait_on(self, gathered: list[Row], digest: Row, place: Place | None) -> Spoken:
        """A digest that cannot go yet is not made: until it can, each member may still be ended. Its place is kept."""
        if place is not None:
            self.facts.usage.take(place)
        steps = [(row.id, editing.wait_with(row, digest, *self._now)) for row in gathered]
        return [one for id, step in steps for one in self._take(id, step)]

    def _gather(self, window: UUID) -> tuple[Spoken, list[Row]]:
        """The members, the oldest first, and what is said of those that end without it."""
        said: Spoken = []
        gathered: list[Row] = []
        members = [self.rows[id] for id in self._waiting.get(window, ())]
        for row in sorted(members, key=lambda row: (row.accepted_at, row.id)):
            if not digesting.is_member(row, window, self.moment):
                continue
            if (ended := self._collapsed(row)) or (ended := digesting.too_old(row, *self._now)):
                said += self._take(row.id, ended)
            else:
                gathered.append(row)
        return said, gathered

    @cached_property
    def _waiting(self) -> Mapping[UUID, list[UUID]]:
        """Who was gathered when the batch began, by window: what comes in it waits for no window that is over."""
        waiting: dict[UUID, list[UUID]] = {}
        for row in self.rows.values():
            if row.digest is not None:
                waiting.setdefault(row.digest, []).append(row.id)
        return waiting

    def _digest(self, gathered: list[Row], first: Row, id: UUID) -> Step | None:
        """The digest with the verdict on it, by its template or without; None: it cannot be sent in any form."""
        for row in digesting.digests_of(gathered, first, id, self.facts):
            step = opened(row, self.rows.get(id), *self._now)
            if step.row and (step.row.is_open or step.row.outcome is Status.CANCELLED):
                return step
        return None

    def _alone(self, row: Row) -> Spoken:
        """Judged by itself: no member is lost with its digest."""
        facts = replace(self.facts, policy=replace(self.facts.policy, digests={}))
        event = e.Ripe(id=row.id, tenant=row.tenant, round=row.round)
        return self._take(row.id, editing.ripe(row._replace(digest=None), event, facts, self.moment))

    def _ripe_alone(self, row: Row | None, event: e.Ripe) -> Spoken:
        if row and row.state is State.WAITING and event.round == row.round and (ended := self._collapsed(row)):
            return self._take(row.id, ended)
        return self._take(event.id, editing.ripe(row, event, *self._now))

    def _collapsed(self, row: Row) -> Step | None:
        """The end of a row of which a newer one has come (P3.5)."""
        newest = self.newest.get(collapsing.key_of(row)) if row.collapse_key else None
        outdone = newest is not None and collapsing.place_of(row) < newest
        return collapsing.collapsed(row, *self._now) if outdone else None

    def _move(self, event: e.Move) -> Spoken:
        """A move of the whole moves its escalation with it, each step by its own distance."""
        return self._each(event.id, lambda one: editing.move(self.rows.get(one), self._at(one, event), *self._now))

    def _at(self, one: UUID, event: e.Move) -> e.Move:
        """What has ended does not move: its request is not even loaded, and the answer is the same at any time."""
        if one == event.id or not self.rows[one].is_open:
            return event if one == event.id else event.model_copy(update={"id": one})
        steps = self.rows[one].wanted().escalate or ()
        distance = next((s.after_seconds for n, s in enumerate(steps) if step_id(event.id, n) == one), 0)
        return event.model_copy(update={"id": one, "at": later(event.at, timedelta(seconds=distance))})

    def _to(self, one: UUID, event: e.Cancel) -> e.Cancel:
        return event if one == event.id else event.model_copy(update={"id": one})

    def _each(self, id: UUID, edit: Callable[[UUID], Step]) -> Spoken:
        """The edit of one id concerns those that followed from its request."""
        said: Spoken = []
        for one in (id, *self._parts_of(id)):
            said += self._take(one, edit(one))
        return said

    def _parts_of(self, id: UUID) -> Iterator[UUID]:
        return (one for one in family(id) if one in self.rows and self.rows[one].parent == id)

    def _take(self, id: UUID, step: Step) -> Spoken:
        if step.row is not None:
            self.rows[id] = step.row
        if step.place is not None:
            self.facts.usage.take(step.place)
        return list(step.said)


def concerned(event: e.Event) -> tuple[UUID, ...]:
    """The ids of all rows that an event may read or change."""
    match event:
        case e.Requested(id=id, request=request) if request.channels or request.escalate:
            return (id, *family(id))
        case e.Cancel(id=UUID() as id) | e.Move(id=id) | e.Again(id=UUID() as id):
            return (id, *family(id))
        case e.Requested(id=id) | e.Unacceptable(id=id) | e.Ripe(id=id):
            return (id,)
        case e.InboxChanged(id=id):
            return (id, *step_ids(id))
        case _:
            return ()
