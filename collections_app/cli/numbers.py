"""What a row's number can be: a larger one is a slip of the keyboard, not a question to the database."""

import click

ROW_NUMBER = click.IntRange(1, 2**63 - 1)
