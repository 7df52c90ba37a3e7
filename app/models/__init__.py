"""The frozen nouns: what flows through the queue and between the stages."""
