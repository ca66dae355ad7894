"""Tests of the API on a live server and a real Redis."""
