"""Colours that the figures of these pages share; sizes are set in conf.py."""

BLUE, VERMILION, GREEN, GREY = "#0072B2", "#D55E00", "#007A5E", "#666666"
