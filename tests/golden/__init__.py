"""Recorded once, held for ever: what an older Onetape wrote must still read and give the same."""
