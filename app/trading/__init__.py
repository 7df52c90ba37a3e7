"""From a signal to a fill: risk, gate, execution, broker, account."""
