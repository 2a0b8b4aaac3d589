"""Undecided reports: exported for clerks as a spreadsheet, and decisions sent back as messages."""
