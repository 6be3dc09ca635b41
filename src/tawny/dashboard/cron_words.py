"""A cron expression in words."""

from __future__ import annotations

from cron_descriptor import ExpressionDescriptor, FormatError, MissingFieldError, Options, WrongArgumentError


def cron_in_words(expression: str) -> str:
    """When it is due, as people say it: `At 02:00, only on Sunday`. The expression itself where there are no words for it."""
    options = Options()
    options.use_24hour_time_format = True
    options.locale_code = "en_US"  # and not that of the machine
    try:
        return str(ExpressionDescriptor(expression, options).get_description())
    except (FormatError, MissingFieldError, WrongArgumentError):
        return expression
