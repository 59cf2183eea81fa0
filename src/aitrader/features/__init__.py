"""Features as a left fold over sessions: state' = advance(state, session's data); a step sees only the past."""
