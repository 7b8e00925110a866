"""
The web app: media for the review desk, its webhook, and the assist backend.

It takes callables (`ui.web.ports`); `flows.web` wires them to the database, the blob store and the
models.
"""
