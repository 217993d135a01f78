"""What comes again and again."""
