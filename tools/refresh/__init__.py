"""Refreshing prices: read public tables and price lists, and add what is new as dated rows."""
