"""Run directories to one frame. Knows of ``runs`` only the record and the index."""
