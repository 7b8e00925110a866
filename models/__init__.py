"""
Neural proposers and their training: the only home of torch and transformers.

Imports only `engine`. Nothing of the shapes and dictionaries of Sam3 leaves this folder.
"""
