"""What the scanner serves over sockets."""
