"""The operator's page, alerts and metrics: reads what a session writes, in processes of its own."""
