"""Everything that can happen, one frozen model each; later ones are made from the one before."""

from contracts.events.directory import Deadline, OfDirectory, Preference, Recipient, Setting, Tombstone
from contracts.events.event import COMMON, Event, OfNotification, named
from contracts.events.operations import Control, Receipt, ServiceStatus
from contracts.events.outcomes import (
    Delivered,
    Failed,
    GroupCancelled,
    InboxChanged,
    Poison,
    Refused,
    Sent,
    Taken,
    Undelivered,
)
from contracts.events.requests import Again, Cancel, Move, Requested, Ripe, Unacceptable
from contracts.events.waiting import Content, Due, MoveRefused, Retry, Scheduled, TakeBack

__all__ = [
    "COMMON",
    "Again",
    "Cancel",
    "Content",
    "Control",
    "Deadline",
    "Delivered",
    "Due",
    "Event",
    "Failed",
    "GroupCancelled",
    "InboxChanged",
    "Move",
    "MoveRefused",
    "OfDirectory",
    "OfNotification",
    "Poison",
    "Preference",
    "Receipt",
    "Recipient",
    "Refused",
    "Requested",
    "Retry",
    "Ripe",
    "Scheduled",
    "Sent",
    "ServiceStatus",
    "Setting",
    "TakeBack",
    "Taken",
    "Tombstone",
    "Unacceptable",
    "Undelivered",
    "named",
]
