"""Arguments in, exit status out: one file a command; nobody imports a command."""
