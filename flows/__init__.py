"""
The command line, the services and the Prefect flows: the only folder that sees all the others.

The environment is read here and nowhere else.
"""
