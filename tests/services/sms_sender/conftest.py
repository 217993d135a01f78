"""The house in which a text message's fate is tried."""

from tests.kit.delivery.conftest import home

__all__ = ["home"]
