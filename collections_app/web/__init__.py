"""The site: parse, call one service or query, render."""
