"""Vendors' own tools: what a graph becomes for them, and how they are called. One module for each tool."""
