"""Ceremonies: keys to whose trapdoors several people contribute, so that none of them can forge proofs."""
