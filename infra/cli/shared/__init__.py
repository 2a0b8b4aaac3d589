"""What every command group uses: output, options, progress."""
