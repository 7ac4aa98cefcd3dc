"""Newton's method, with exact and with inexact steps."""
