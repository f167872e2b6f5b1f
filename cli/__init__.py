"""The same verbs by hand: one file per command group."""
