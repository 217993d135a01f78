"""The gateway's face: REST, and how it says no."""
