"""For those who run the installation, and for what providers report to it."""
