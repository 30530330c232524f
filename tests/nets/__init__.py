"""Tests of networks and their blocks."""
