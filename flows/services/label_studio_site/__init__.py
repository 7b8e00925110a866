"""
What maskloop adds to the embedded Label Studio. Read by Label Studio's Python, never by ours.

This folder is on the module path of the server's process, so that Django finds the modules by their
bare names.
"""
