"""The AI verifiers: what they are shown and asked, and the client that asks them."""
