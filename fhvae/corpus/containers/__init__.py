"""What audio files hold, beyond what their headers and libsndfile say."""
