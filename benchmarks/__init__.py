"""What Keyscope costs, measured; nothing here is asserted."""
