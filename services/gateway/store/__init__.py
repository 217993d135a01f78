"""The gateway's SQL, one function per question, a sentence each."""
