"""Update the database to the definitions in `schemas`: migrations and dimension tables."""
