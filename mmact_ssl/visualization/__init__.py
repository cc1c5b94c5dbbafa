"""Pictures of what the pretext tasks predict, how they get along, and what sentences find."""
