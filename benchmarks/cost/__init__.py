"""What 1,000 summaries cost: Touchline beside others, on the same insights and the same emulator."""
