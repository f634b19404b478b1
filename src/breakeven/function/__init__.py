"""The gateway as an AWS Lambda function: its own ASGI application under AWS's runtime client, streamed or buffered."""
