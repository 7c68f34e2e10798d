"""Commands that find, write, measure and compare boards."""
