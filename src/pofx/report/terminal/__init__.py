"""Records as rich renderables, a module a query; nothing here prints."""
