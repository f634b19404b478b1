"""A real model on this machine: llama.cpp's OpenAI server in a process of its own."""
