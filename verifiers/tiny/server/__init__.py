"""
An OpenAI-compatible server for one image-text model: the subset of vLLM's API that we use.

It answers chat completions of one token, with log-probabilities, from a folder that transformers
loads. vLLM serves the same folder faster on a GPU; this one needs neither a GPU nor an account.
"""
