"""The tasks of lm-eval: their files, their prompts, and the numbers that lm-eval computes for a model."""
