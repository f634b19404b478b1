"""Comparing: who is cheapest among equals, and from which traffic on that changes."""
