"""The simulated exchange: the simulated market, told in the wire formats of Alpaca, Polygon and the SEC."""
