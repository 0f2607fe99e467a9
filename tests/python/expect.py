"""What a statement must not do."""


def fails(action, *words):
    """Runs `action`, which must fail with all of `words` in its text; returns what it raised."""
    try:
        action()
    except Exception as error:  # noqa: BLE001: the drivers have no common error class
        text = str(error)
        assert all(word.lower() in text.lower() for word in words), text
        return error
    raise AssertionError("it was taken")
