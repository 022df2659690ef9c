"""A simulated town of customers: feeds in, behaviour out; hidden truth kept apart from the database."""
