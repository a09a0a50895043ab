"""Work on a stranger's file in a process of its own, within limits on time and memory."""
