"""OpenAI's dialect: chat, completions, models, and the tokenization routes that engines add to it."""
