"""Requests as they come in: read within bounds, checked, and refused in OpenAI's shape."""
