"""Label Studio as the editor: everything about its JSON lives here."""
