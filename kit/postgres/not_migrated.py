"""Said when the SQL files and the database do not fit together."""


class NotMigrated(Exception):
    """The text says what is missing or edited, and what to do."""
