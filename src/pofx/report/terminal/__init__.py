"""Records become rich renderables, a module a query; no module prints."""
