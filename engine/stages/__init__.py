"""One pure function per file; the file name is the name of the stage."""
