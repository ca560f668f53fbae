"""What metrics say, laid out for people: tables, figures, and a page of one run."""
