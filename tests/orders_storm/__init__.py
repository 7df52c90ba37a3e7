"""Real orders over real sockets: each step of their life with each fault, and with `kill -9` at that step."""
