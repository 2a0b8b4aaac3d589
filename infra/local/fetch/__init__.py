"""What the embedded stack fetches: a Java, jars, a trust store."""
