"""What metrics say, laid out for people: tables on the terminal and in docs/results.md."""
