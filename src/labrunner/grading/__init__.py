"""One grade run: a trusted pytest in a process of its own, and the report made of what it saw."""
