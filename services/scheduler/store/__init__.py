"""The SQL, a module for each kind of thing that has a time."""
