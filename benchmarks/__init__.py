"""The promised figures, measured: each prints the machine, the seed and the commit, and fails when it falls short."""
