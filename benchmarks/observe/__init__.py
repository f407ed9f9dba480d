"""What Podium says of itself, held against what is so, and what saying it costs."""
