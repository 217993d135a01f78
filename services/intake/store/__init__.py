"""Intake's SQL: one function per question, each with a sentence; statements work on whole batches."""
