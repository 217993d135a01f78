"""The language that all programs of Tocsin speak: events, topics, identities. No I/O."""
