"""The conformance test of an OpenAI-style server that gives log-probabilities of prompts."""
