"""OpenAI's legacy completions: log-probabilities of prompts, and continuations."""
