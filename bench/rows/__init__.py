"""What the benches of moving rows share: the rows, the stand-in that replays them, and whoever moves them."""
