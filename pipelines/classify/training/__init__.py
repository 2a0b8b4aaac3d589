"""Trains the text model and the suspect head from the corpus and from people's corrections."""
