"""Parts, markers, lease, run records and publishing, in folders and object stores alike."""
