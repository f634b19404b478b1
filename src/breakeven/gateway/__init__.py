"""One OpenAI-compatible door that routes by a plan and knows what each request cost."""
