"""The `asyncfix` command. It is a program of its own; this package only finds and starts it."""
