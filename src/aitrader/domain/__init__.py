"""The vocabulary: securities, sessions, verdicts, frames and errors. Imports only the standard library and polars."""
