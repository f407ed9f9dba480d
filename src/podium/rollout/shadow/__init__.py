"""Comparing answers to copied requests: which requests, what an answer says, how alike two are. No I/O."""
