"""A local exchange on 127.0.0.1: a program of its own, for tests, rehearsals and proofs."""
