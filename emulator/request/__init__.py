"""What a request may say: its shape, the rules beyond shape, and the prompt that it makes."""
