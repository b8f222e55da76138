"""What the tests share: small models and graphs, runs of commands, lying provers, forged proofs."""
