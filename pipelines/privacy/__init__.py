"""What may not be stored: personal data in texts and fields, found and masked."""
