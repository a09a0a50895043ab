"""The live page at `/`: static files, which a browser gets with a policy that lets no other origin in."""
