"""What the data is: data files first, a thin typed loader beside each."""
