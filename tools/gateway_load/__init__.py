"""The load of `make bench-gateway`: a model server that costs nothing, requests that do not wait, checked streams."""
