"""Pages that people look at. Imports only `engine`; what it shows is handed in."""
