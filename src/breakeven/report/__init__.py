"""A plan for people and programs: the terminal's tables, and a JSON document with a versioned schema."""
