"""Routes of the one-shot tasks that OpenAI's dialect does not have."""
