"""Dated, sourced facts: prices, machines, accelerators, models, scores, load profiles."""
