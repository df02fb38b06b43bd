"""The machine: it knows that there are runners, scrapers and steps, never which."""
