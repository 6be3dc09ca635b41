"""Job types are what their definition says, and a wrong definition fails at import with one sentence."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from pydantic import Field

from tawny import DefinitionError, Run, Tawny

if TYPE_CHECKING:
    from decimal import Decimal


class NotJson:
    pass


def fine(run: Run) -> None: ...


def no_run() -> None: ...


def run_is_second(month: str, run: Run) -> None: ...


def run_is_named_only(*, run: Run) -> None: ...


def run_is_text(run: str) -> None: ...


def takes_args(run: Run, *months: str) -> None: ...


def positional_only(run: Run, month: str, /) -> None: ...


def not_json(run: Run, thing: NotJson) -> None: ...


def callback(run: Run, done: Callable[[], None]) -> None: ...


def rest_not_json(run: Run, **things: NotJson) -> None: ...


def only_for_type_checkers(run: Run, amount: Decimal) -> None: ...


def broken_annotation(run: Run, amount: "list[") -> None: ...  # type: ignore[valid-type]  # noqa: F722


def wrong_default(run: Run, count: int = "many") -> None: ...  # type: ignore[assignment]


def wrong_default_inside(run: Run, counts: list[int] = [1, "x"]) -> None: ...  # type: ignore[list-item]  # noqa: B006


def none_without_saying_so(run: Run, month: str = None) -> None: ...  # type: ignore[assignment]  # noqa: RUF013


def default_out_of_bounds(run: Run, count: Annotated[int, Field(ge=1)] = 0) -> None: ...


def field_as_default(run: Run, count: int = Field(1, ge=0)) -> None: ...


def project_as_number(run: Run, project_id: int) -> None: ...


def for_a_project(run: Run, project_id: str) -> None: ...


def yields(run: Run) -> Iterator[int]:
    yield 1


async def yields_async(run: Run) -> AsyncIterator[int]:
    yield 1


async def fine_async(run: Run) -> None: ...


@functools.wraps(fine_async)
def plain_around_async(*args: Any) -> Any: ...


def by_month(run: Run, month: str, **others: Any) -> None: ...


WRONG: list[tuple[str, Any, dict[str, Any], str]] = [
    ("a class", NotJson, {}, "must be a function written with `def`, not the class NotJson"),
    ("an object", object(), {}, "must be a function written with `def`, not object"),
    ("a partial", functools.partial(fine), {}, "not partial"),
    ("a method", "text".upper, {}, "must be a function"),
    ("no run", no_run, {}, "must take `run` as its first parameter"),
    ("run second", run_is_second, {}, "must take `run` as its first parameter"),
    ("run by name only", run_is_named_only, {}, "must take `run` as its first parameter"),
    ("run of another type", run_is_text, {}, "`run` must be a Run, not str"),
    ("*args", takes_args, {}, "takes `*months`"),
    ("positional-only", positional_only, {}, "`month` is positional-only"),
    ("a type that is not JSON", not_json, {}, "the type of its parameter `thing` cannot come from JSON"),
    ("a callback", callback, {}, "the type of its parameter `done` cannot come from JSON"),
    ("**params that are not JSON", rest_not_json, {}, "the type of its parameter `things` cannot come from JSON"),
    ("a type missing at run time", only_for_type_checkers, {}, "`amount` needs a name that does not exist"),
    ("an annotation that is no expression", broken_annotation, {}, "the type of its parameter `amount` cannot be read"),
    ("a default of another type", wrong_default, {}, "the default of its parameter `count` does not fit its type"),
    ("a default that is wrong inside", wrong_default_inside, {}, "it should be a valid integer (in counts.1)"),
    ("a default of None", none_without_saying_so, {}, "the default of its parameter `month` does not fit its type"),
    ("a default out of bounds", default_out_of_bounds, {}, "greater than or equal to 1"),
    ("a Field as default", field_as_default, {}, "`count` has a Field as its default"),
    ("a project_id that is a number", project_as_number, {}, "annotate it str or UUID"),
    ("a project_id in a system job", for_a_project, {"scope": "system"}, "a system job has no project"),
    ("a generator", yields, {}, "uses `yield`"),
    ("an async generator", yields_async, {}, "uses `yield`"),
    ("a plain wrapper of an async function", plain_around_async, {}, "make the wrapper `async def` too"),
    ("an unknown scope", fine, {"scope": "team"}, "scope must be one of 'project', 'system', not 'team'"),
    ("an empty label", fine, {"label": " "}, "label must be text"),
    ("a description that is no text", fine, {"description": 5}, "description must be text"),
    ("negative retries", fine, {"retries": -1}, "retries must be a whole number from 0 to 100, not -1"),
    ("endless retries", fine, {"retries": 101}, "retries must be a whole number"),
    ("retries by truth", fine, {"retries": True}, "retries must be a whole number"),
    ("retries as text", fine, {"retries": "3"}, "retries must be a whole number"),
    ("a timeout nobody can read", fine, {"timeout": "soon"}, "timeout should be a duration such as 30s"),
    ("a timeout of nothing", fine, {"timeout": 0}, "timeout must be more than 0 seconds"),
    ("a negative timeout", fine, {"timeout": -5}, "timeout should be a duration"),
    ("a cancel grace nobody can read", fine, {"cancel_grace": None}, "cancel_grace should be a duration"),
    ("unique by one text", by_month, {"unique_by": "month"}, "unique_by must be a tuple of parameter names"),
    ("unique by what is not there", by_month, {"unique_by": ("year",)}, "unique_by names `year`"),
    ("unique by **params", by_month, {"unique_by": ("others",)}, "unique_by names `others`"),
    ("unique by the project", for_a_project, {"unique_by": ("project_id",)}, "unique_by names `project_id`"),
    ("unique twice", by_month, {"unique_by": ("month", "month")}, "unique_by names a parameter twice"),
    ("unique by a number", by_month, {"unique_by": (1,)}, "unique_by must be a tuple of parameter names"),
    ("no concurrency", fine, {"concurrency": 0}, "concurrency must be a whole number from 1 to 1000, not 0"),
    ("more at once than there are places", fine, {"concurrency": 1001}, "concurrency must be a whole number"),
    ("isolation in a thread", fine, {"isolate": "thread"}, 'isolate must be None or "process"'),
]


@pytest.mark.parametrize(("handler", "options", "problem"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_a_wrong_definition_is_refused_with_one_sentence(handler: Any, options: dict[str, Any], problem: str) -> None:
    app = Tawny()
    with pytest.raises(DefinitionError) as refusal:
        app.job("monthly.export", **options)(handler)
    sentence = str(refusal.value)
    assert sentence.startswith('Job type "monthly.export": ')
    assert problem in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert not app.jobs


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"cron": ""}, "cron must be five fields"),
        ({"cron": "0 0 31 2 *"}, "cron cannot be read: bad day-of-month"),
        ({"cron": 5}, "cron must be an expression"),
        ({"timezone": "Mars/Olympus"}, "timezone must be a name"),
        ({"timezone": "../etc/passwd"}, "timezone must be a name"),
        ({"timezone": None}, "timezone must be a name"),
        ({"catch_up": "some"}, "catch_up must be one of 'all', 'last', 'none', not 'some'"),
        ({"catch_up": ["all"]}, "catch_up must be one of"),
    ],
)
def test_a_wrong_system_job_is_refused_with_one_sentence(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(DefinitionError, match=problem) as refusal:
        Tawny().system_job("nightly", **options)(fine)
    assert str(refusal.value).startswith('Job type "nightly": ')


@pytest.mark.parametrize("name", ["", "a" * 65, "Export", "exp ort", "a/b", "../etc", "b\n", "é", "а", 5, None, b"x"])
def test_a_wrong_name_is_refused(name: Any) -> None:
    with pytest.raises(DefinitionError, match="a name is 1 to 64 of the characters"):
        Tawny().job(name)


@pytest.mark.parametrize("define", [Tawny().job, Tawny().system_job])
def test_the_names_of_built_in_jobs_are_reserved(define: Callable[[str], object]) -> None:
    with pytest.raises(DefinitionError) as refusal:
        define("tawny.retention")
    assert str(refusal.value) == (
        'Job type "tawny.retention": names that start with tawny. are those of built-in jobs; choose another.'
    )
    assert define("tawny_retention")


def test_a_decorator_without_its_name_says_how_to_write_it() -> None:
    with pytest.raises(DefinitionError, match=r'Job type "fine": write the decorator with a name, @app.job\("name"\)'):
        Tawny().job(fine)  # type: ignore[arg-type]


def test_a_name_is_given_once() -> None:
    app = Tawny()
    app.job("export")(fine)
    with pytest.raises(DefinitionError, match='"export": this name is already taken'):
        app.system_job("export")(fine_async)
    assert app.jobs["export"].handler is fine


def test_a_lifespan_that_cannot_be_called_is_refused() -> None:
    with pytest.raises(DefinitionError, match="lifespan"):
        Tawny(lifespan=5)  # type: ignore[arg-type]


def test_the_function_comes_back_unchanged() -> None:
    app = Tawny()
    assert app.job("a")(fine) is fine
    assert app.system_job("b")(fine_async) is fine_async


def test_a_job_has_what_was_said_of_it() -> None:
    app = Tawny()
    app.job(
        "invoice_export",
        label="Invoices",
        description="All of them.",
        retries=3,
        timeout="1h",
        unique_by=("month",),
        concurrency=2,
        cancel_grace="1m",
        isolate="process",
    )(by_month)
    job = app.jobs["invoice_export"]
    assert (job.name, job.label, job.description, job.scope) == ("invoice_export", "Invoices", "All of them.", "project")
    assert (job.retries, job.timeout, job.unique_by, job.concurrency) == (3, 3600.0, ("month",), 2)
    assert (job.cancel_grace, job.isolate, job.is_async, job.cron) == (60.0, "process", False, None)


def test_a_job_of_which_nothing_was_said() -> None:
    app = Tawny()

    @app.job("invoice_export.v-2")
    async def export(run: Run) -> None:
        """Write the invoices.

        All that are due.

        Returns:
            Nothing.
        """

    job = app.jobs["invoice_export.v-2"]
    assert (job.label, job.description) == ("Invoice export v 2", "Write the invoices.\n\nAll that are due.")
    assert (job.retries, job.timeout, job.unique_by, job.concurrency) == (0, None, (), None)
    assert (job.cancel_grace, job.isolate, job.is_async) == (30.0, None, True)


def test_a_system_job_has_its_schedule() -> None:
    app = Tawny()
    app.system_job("nightly", cron="0 2 * * *", timezone="Europe/Vienna", catch_up="none", retries=1, timeout=5)(fine)
    job = app.jobs["nightly"]
    assert (job.scope, job.cron, job.timezone, job.catch_up) == ("system", "0 2 * * *", "Europe/Vienna", "none")
    assert (job.retries, job.timeout) == (1, 5.0)


def test_the_jobs_of_an_app_are_in_order_and_read_only() -> None:
    app = Tawny()
    for name in ("b", "a", "c"):
        app.job(name)(fine)
    assert list(app.jobs) == ["b", "a", "c"]
    with pytest.raises(TypeError):
        app.jobs["d"] = app.jobs["a"]  # type: ignore[index]


def test_an_async_wrapper_of_an_async_function_shows_the_inner_signature() -> None:
    async def inner(run: Run, month: str) -> dict[str, str]:
        return {"month": month}

    @functools.wraps(inner)
    async def wrapper(*args: Any, **kwargs: Any) -> dict[str, str]:
        return await inner(*args, **kwargs)

    app = Tawny()
    app.job("export")(wrapper)
    assert app.jobs["export"].params.names == ("month",)
    assert app.jobs["export"].is_async
