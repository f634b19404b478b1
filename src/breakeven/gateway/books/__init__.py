"""The books of the gateway: keys, budgets, rate limits and usage records, and the store that keeps them."""
