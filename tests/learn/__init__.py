"""Tests of learned representations."""
