"""Trains the text model and the suspect head on the corpus and on people's corrections."""
