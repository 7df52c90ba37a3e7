"""The soak: a paper session of weeks, its memory, sockets and tasks."""
