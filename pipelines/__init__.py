"""What happens to the data: decode, judge, classify, load, and the marts built from it."""
