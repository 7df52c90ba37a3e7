"""For every test: Hypothesis measures no time, because these machines are noisy."""

from hypothesis import settings

settings.register_profile("house", deadline=None)
settings.load_profile("house")
