"""The planner as web pages, and the API behind them."""
