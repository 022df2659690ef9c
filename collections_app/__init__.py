"""The application: rooms around a pure domain. Imports nothing, so that the domain loads without Flask."""
