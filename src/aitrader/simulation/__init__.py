"""The simulated market: a pure generator of listings, bars, actions, filings and headlines, deterministic by seed."""
