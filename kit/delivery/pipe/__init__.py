"""The life of an attempt: read -> claim -> hand over -> record -> say -> finish (with `saying`)."""
