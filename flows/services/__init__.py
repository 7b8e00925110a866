"""
The services that maskloop starts for itself when no address of a running one is configured.

Each module starts, finds and stops one service that outlives the process which started it, keeps
what it needs below the maskloop home, and listens on this machine only.
"""
