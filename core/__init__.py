"""The thinking, without IO: pure functions on frozen values."""
