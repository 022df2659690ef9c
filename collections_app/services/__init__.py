"""The write side: verbs that take a unit of work first."""
