"""The families of models: how each is specified, fitted, saved and loaded, one family a folder."""
