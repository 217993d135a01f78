"""The bell: what was shown to a person, as it happens."""
