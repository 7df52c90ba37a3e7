"""One exchange: its adapter, limits, retries and pages, and the provider that fetches history from it."""
