"""What is remembered: securities, bars, reference data, published runs. Importing it costs nothing."""
