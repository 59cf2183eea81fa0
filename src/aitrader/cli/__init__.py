"""The command line: words in, words out; nothing is decided here."""
