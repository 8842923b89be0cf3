"""Read files and frames: statistics first, then batches of complete ids."""
