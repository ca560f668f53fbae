"""Public archives: brought over the network whole and verified, unpacked without trust."""
