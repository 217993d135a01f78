"""What is worked out when it is asked for, and then kept with the object it was worked out of."""

from functools import cached_property
from typing import Any, Self, TypeVar, overload

T = TypeVar("T")


class kept(cached_property[T]):
    """A cached_property without the lock that Python 3.11 takes, which costs more than much of what is kept."""

    @overload
    def __get__(self, instance: None, owner: type[Any] | None = None) -> Self: ...

    @overload
    def __get__(self, instance: object, owner: type[Any] | None = None) -> T: ...

    def __get__(self, instance: object, owner: type[Any] | None = None) -> Any:
        if instance is None:
            return self
        found = instance.__dict__[self.attrname or ""] = self.func(instance)
        return found
