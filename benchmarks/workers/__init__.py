"""What the benches of several workers share: a stack to run on, books to hold, processes to watch."""
