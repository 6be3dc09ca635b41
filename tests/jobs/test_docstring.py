"""What a docstring says reaches the people who start the job."""

from __future__ import annotations

from tawny.jobs import docstring


def plain() -> None:
    """Only this.

    And this: not a parameter.
    """


def sections() -> None:
    """Do it.

    Args:
        month: The month.
        count (int, optional): How many
            of them: at most ten.
        *rest: The others.

    Returns:
        nothing: at all
    """


def silent() -> None: ...


def test_the_description_ends_where_the_sections_begin() -> None:
    assert docstring.description(plain) == "Only this.\n\nAnd this: not a parameter."
    assert docstring.description(sections) == "Do it."
    assert docstring.description(silent) == ""


def test_parameters_are_described_by_their_section_only() -> None:
    assert docstring.parameters(plain) == {}
    assert docstring.parameters(silent) == {}
    assert docstring.parameters(sections) == {
        "month": "The month.",
        "count": "How many of them: at most ten.",
        "rest": "The others.",
    }
