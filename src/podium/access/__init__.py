"""Who calls and how much of it: keys, tokens, quotas, usage. Knows no HTTP and no engine; see ``docs/security.md``."""
