"""
The concept world: drawn scenes of shapes, colours and textures whose truth is known exactly.

It is a world to measure in. Nothing outside `demo` knows it; it reaches the engine as ordinary
files, which `files.write_folder` writes.
"""
