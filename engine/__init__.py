"""
What maskloop knows: facts, ids, masks, phrases, dataset formats, metrics, and pure stages.

Imports none of the other folders. Outside libraries: numpy, scipy, pycocotools, Pillow, pyarrow.
"""
