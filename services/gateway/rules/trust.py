"""Who may see what, and who may write to whom. Another one's object does not exist."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from contracts.request import NotificationRequest

Role = Literal["admin", "service", "user"]

ROLES: Final[tuple[Role, ...]] = ("admin", "service")


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who has proved who he is: `sub` within `tenant`. An API key opens its `scopes` and no more;
    None: it is a token, whose roles say all."""

    sub: str
    tenant: str = "default"
    roles: frozenset[str] = frozenset()
    until: datetime | None = None
    """When what he proved it with expires; None: never by itself."""
    scopes: frozenset[str] | None = None

    @property
    def owner(self) -> str:
        """How he is named as the maker of a notification (P1)."""
        return f"user:{self.sub}"

    @property
    def role(self) -> Role:
        """The strongest of his roles."""
        return next((role for role in ROLES if role in self.roles), "user")

    @property
    def is_admin(self) -> bool:
        return self.role == "admin"

    @property
    def is_operator(self) -> bool:
        """He may see and do what concerns all tenants."""
        return self.is_admin and self.tenant == "default"


@dataclass(frozen=True, slots=True)
class Whose:
    """To whom a notification belongs: its maker, and the person it is addressed to."""

    tenant: str
    owner: str
    user_id: str | None


def may_read(caller: Caller, whose: Whose) -> bool:
    """One's own: made by one, or addressed to one. An admin sees his tenant."""
    if caller.tenant != whose.tenant:
        return False
    return caller.is_admin or caller.owner == whose.owner or caller.sub == whose.user_id


def may_change(caller: Caller, whose: Whose) -> bool:
    """Whoever made it, or an admin. Who is only addressed may look."""
    return caller.tenant == whose.tenant and (caller.is_admin or caller.owner == whose.owner)


def may_address(caller: Caller, request: NotificationRequest, anyone: Collection[Role]) -> bool:
    """Whether he may write to this recipient: `anyone` lists the roles that may write to anybody."""
    return caller.role in anyone or request.user_id == caller.sub


def may_read_deadline(caller: Caller, owner: str | None, assignees: Collection[str]) -> bool:
    """One's own, what one is assigned to, and all of a tenant for its services and admins."""
    return caller.role != "user" or caller.owner == owner or caller.sub in assignees


def may_change_deadline(caller: Caller, owner: str | None) -> bool:
    """Its owner, services and admins."""
    return caller.role != "user" or caller.owner == owner


def may_assign(caller: Caller, assignees: Collection[str], anyone: Collection[Role]) -> bool:
    """Whether he may have these people reminded: `anyone` lists the roles that may write to anybody."""
    return caller.role in anyone or all(person == caller.sub for person in assignees)


def may_edit_person(caller: Caller, user_id: str) -> bool:
    """A person's own entry in the directory, or the directory for services and admins."""
    return caller.role != "user" or caller.sub == user_id
