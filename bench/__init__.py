"""Performance, measured against named peers in the same run: `bin/bench` lists what there is."""
