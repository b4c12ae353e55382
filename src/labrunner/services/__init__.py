"""Real servers behind every grade: found warm or started, leased in pieces, never left behind."""

from labrunner.services.broker import BackendChoice, Broker, broker, forget, stop_all

__all__ = ["BackendChoice", "Broker", "broker", "forget", "stop_all"]
