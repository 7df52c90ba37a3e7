"""The three files of a profile, read into frozen settings, with problems named."""
