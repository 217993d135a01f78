"""Who is calling, which keys there are, and what admins did."""
