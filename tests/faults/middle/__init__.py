"""A man in the middle between a real paper session and the testnet: what he can do to frames, handshakes and REST."""
