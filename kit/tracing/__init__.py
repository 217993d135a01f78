"""Traces: one per notification, from whoever asked for it to the provider, for those who want to look at them."""

from kit.tracing.choosing import tracer_of
from kit.tracing.tracer import OFF, Entry, Tracer

__all__ = ["OFF", "Entry", "Tracer", "tracer_of"]
