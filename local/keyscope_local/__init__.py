"""The local gateway and its embedded AWS: the whole stack on one machine, without Docker."""
