"""Find and mask personal data in texts and fields, so that it is never stored."""
