"""Storms and kills over real sockets and processes: `make storm`, and a few of each in `make test`."""
