"""Robot calls and speech QA; knows neither web nor database."""
