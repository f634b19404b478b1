"""Documents: files of text counted in the tokens of each candidate."""
