"""Key pairs: each part of SCAR signs with its own, and knows the public keys of the others."""
