"""The command line of Keyscope."""
