"""How a function of the stack fails: while it loads, or while it runs."""


class FunctionFailed(Exception):  # noqa: N818 - a state
    """A handler raised an exception. API Gateway reads only `error_message`."""

    def __init__(self, error_type: str, error_message: str) -> None:
        """Store what Lambda reports about the exception."""
        super().__init__(error_type)
        self.error_type = error_type
        self.error_message = error_message


class FunctionNotLoaded(Exception):  # noqa: N818 - a state
    """A function cannot run here; the text names it and says why."""

    def __init__(self, logical_id: str, reason: str) -> None:
        """Name the function, by its logical id, and the reason."""
        super().__init__(f"{logical_id} failed to load: {reason}")
