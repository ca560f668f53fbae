"""The order in which domains are listed and drawn."""


def by_noise(domain: str) -> tuple[str, int]:
    """Sort noise20, noise10, noise5: the number is a signal-to-noise ratio in dB."""
    letters = domain.rstrip("0123456789")
    return letters, -int(domain[len(letters) :] or 0)
