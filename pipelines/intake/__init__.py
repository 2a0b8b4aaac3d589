"""What a message says, and whether it is accepted. Pure: Arrow in, Arrow out; no services."""
