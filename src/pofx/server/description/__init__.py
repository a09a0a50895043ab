"""The description of the server in OpenAPI 3.1, made from the shapes of its requests and answers."""
