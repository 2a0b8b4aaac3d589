"""The marts: rankings, series and rising types, built from the daily rollup by partition."""
