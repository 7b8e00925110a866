"""The tiny verifier: an image-text model of our own, and the server that serves it."""
