"""Tests; a test's name states a behavior."""
