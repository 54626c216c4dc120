"""The live controller without a network: reports in, decisions out, and a state that survives."""
