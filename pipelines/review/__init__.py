"""Undecided reports out to a clerk as a spreadsheet, and decisions back as messages."""
