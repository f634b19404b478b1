"""Load on an OpenAI-compatible server, measured from outside, and what other load generators measured."""
