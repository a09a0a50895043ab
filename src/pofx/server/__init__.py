"""HTTP for models: the endpoints that evaluation clients speak, and one queue before the model."""
