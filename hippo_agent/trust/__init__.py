"""What is let in, what is set aside, and what is taken out of a text before anything is kept of it."""
