"""What a service counts about itself, in the form Prometheus reads; docs/metrics.md is made from it."""

from kit.metrics.bounded import MOST_VALUES, OTHER
from kit.metrics.counting import Metrics

__all__ = ["MOST_VALUES", "OTHER", "Metrics"]
