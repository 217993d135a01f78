"""What is true of text messages, whoever carries them. Pure."""
