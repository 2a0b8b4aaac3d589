"""What the data is: data files, each with a thin typed loader."""
