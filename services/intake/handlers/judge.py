"""Requests, cancels, moves, ripe and again: a batch is judged in memory and written by one statement of each kind."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol
from uuid import UUID

from contracts import events as e
from kit.bus.record import Outgoing
from kit.metrics import Metrics
from kit.postgres import Connection
from kit.stage import Message
from services.intake.handlers.gathering import content_facts
from services.intake.rules.collapsing import key_of
from services.intake.rules.facts import FOR_EVER, CollapseKey, Facts, GroupEnd, Newest, Policy, Tenanted
from services.intake.rules.ledger import Ledger, concerned
from services.intake.rules.row import Moment, Row, State, stored
from services.intake.store import counts, directory, groups, rows

