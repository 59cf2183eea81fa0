"""The engine: a fold over sessions, step(state, session's data, config) -> (state', result). One copy of the rules."""
