"""Webhooks out: what has happened is posted to whoever asked for it, until it has arrived."""
