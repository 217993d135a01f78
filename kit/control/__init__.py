"""What is ordered on `ops.control`: written down by whoever reads it, run once, answered on `ops.status` (P9)."""
