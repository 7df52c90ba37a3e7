"""What is built for a mode, begun, stopped and continued: sessions, their journal, epochs, operator's commands."""
