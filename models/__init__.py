"""Predictive models: a library that knows nothing of the application."""
