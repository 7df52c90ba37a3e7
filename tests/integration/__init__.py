"""Whole sessions: real queue, real files, fake feeds; and the command line in processes of its own."""
