"""Pages and files: the bell and its demo, the documents of the API and of the events."""
