"""Each sentence that an author of jobs is promised has a test that shows it.

A test is named by its file below `tests` and its own name, and by its parameters where only these show it. The numbers among the
promises are looked at here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tawny import Run, Tawny
from tawny.jobs import outcome, retry
from tawny.workers import log_buffer, transactions

TESTS = Path(__file__).parents[1]

SURFACE = "jobs/test_surface.py::test_an_authors_module_passes_mypy_strict_and_wrong_ones_do_not"

PROMISES = {
    # Definitions
    "A module as authors write it passes a strict type checker, and wrong ones do not.": [SURFACE],
    "Tawny(lifespan=…) opens pools and clients once per worker; run.state holds them.": [
        "workers/test_lifespan.py::test_it_is_opened_once_before_the_first_run_and_closed_after_the_last",
        "workers/test_lifespan.py::test_one_that_fails_keeps_the_worker_from_starting",
        "examples/test_http_client.py::test_a_second_attempt_calls_with_the_same_key_and_another_run_with_another",
    ],
    "Plain functions run in a thread.": [
        "workers/test_execute.py::test_a_plain_handler_runs_in_a_thread",
        "examples/test_plain_function.py::test_it_finds_the_primes",
    ],
    "@app.job takes these options, with these defaults; the docstring is the description.": [
        "jobs/test_definitions.py::test_a_job_has_what_was_said_of_it",
        "jobs/test_definitions.py::test_a_job_of_which_nothing_was_said",
        "jobs/test_docstring.py::test_the_description_ends_where_the_sections_begin",
    ],
    "@app.system_job takes label, description, cron, timezone, catch_up, retries and timeout.": [
        "jobs/test_definitions.py::test_a_system_job_has_its_schedule",
        "runs/test_trigger.py::test_only_the_host_triggers_a_system_job_and_one_at_a_time",
    ],
    "Scopes are project and system, no others.": [
        "jobs/test_definitions.py::test_a_wrong_definition_is_refused_with_one_sentence"
    ],
    "A wrong definition fails at import, with a sentence.": [
        "jobs/test_definitions.py::test_a_wrong_definition_is_refused_with_one_sentence",
        "jobs/test_definitions.py::test_a_wrong_system_job_is_refused_with_one_sentence",
        "jobs/test_load.py::test_a_wrong_definition_is_one_sentence_and_its_place",
    ],
    "retries: a run that raised is tried again, as often as its type says.": [
        "workers/test_retries.py::test_a_run_is_tried_again_until_it_succeeds",
        "workers/test_retries.py::test_after_its_last_retry_it_has_failed",
        "workers/test_retries.py::test_without_retries_the_first_failure_is_the_last",
    ],
    "timeout: one attempt takes no longer; an async handler is interrupted, a plain one is told.": [
        "workers/test_stopping.py::test_an_async_attempt_that_takes_too_long_is_interrupted_and_fails_as_timed_out",
        "workers/test_stopping.py::test_track_raises_a_timeout_that_is_a_cancel",
        "workers/test_stopping.py::test_a_timeout_is_retried_like_any_failure",
        "workers/test_stopping.py::test_a_plain_handler_that_never_looked_and_finished_late_has_completed",
    ],
    "unique_by: one active run for each value of the params that it names.": [
        "runs/test_trigger.py::test_runs_that_differ_in_what_unique_by_names_do_not_stand_in_each_others_way",
        "runs/test_trigger.py::test_the_same_values_meet_the_active_run_however_they_are_sent",
        "examples/test_one_per_month.py::test_two_months_may_be_closed_at_once_and_one_only_once",
    ],
    "concurrency holds over all workers.": [
        "workers/test_concurrency.py::test_a_limit_holds_over_three_workers_and_all_of_its_places_are_used"
    ],
    "cancel_grace: who does not stop within it is interrupted, or overdue.": [
        "workers/test_stopping.py::test_what_is_tried_and_when",
        "workers/test_stopping.py::test_an_async_handler_that_ignores_a_cancel_is_interrupted_after_its_grace",
        "workers/test_stopping.py::test_a_handler_that_stops_within_its_grace_is_not_interrupted",
        "workers/test_stopping.py::test_a_handler_that_does_not_stop_ends_its_run_and_the_worker_starts_again",
    ],
    'isolate="process": a run in a process of its own, which is killed where it does not stop.': [
        "workers/test_isolate.py::test_a_handler_has_all_that_it_has_elsewhere",
        "workers/test_isolate.py::test_a_crash_costs_only_its_run",
        "workers/test_isolate.py::test_a_process_that_ignores_a_cancel_is_killed_after_its_grace",
        "workers/test_isolate.py::test_a_process_that_takes_too_long_is_killed",
        "walks/test_examples.py::test_an_example_does_what_it_says[child_process]",
    ],
    # Params
    "The signature after run is the schema; values are coerced leniently.": [
        "jobs/test_params.py::test_values_are_coerced_to_what_the_handler_declares",
        "jobs/test_params.py::test_what_does_not_fit_is_refused_naming_the_parameter",
        "workers/test_execute.py::test_a_handler_gets_coerced_params_and_the_checked_project",
    ],
    "Unknown names are refused unless the handler declares **params.": [
        "jobs/test_params.py::test_an_unknown_parameter_is_refused_with_the_nearest_one",
        "jobs/test_params.py::test_params_in_general_are_taken_by_a_handler_that_says_so",
    ],
    "Params are stored as they were sent.": ["runs/test_trigger.py::test_params_are_stored_as_sent_with_the_checked_project"],
    "The checked project's id is passed only if the handler declares project_id.": [
        "jobs/test_params.py::test_the_project_is_handed_on_as_the_handler_declares_it",
        "jobs/test_params.py::test_the_project_is_ignored_by_a_handler_that_does_not_declare_it",
    ],
    "The schema is shown in GET /v1/job-types, and is fit for a form.": [
        "api/test_job_types.py::test_job_types_say_what_can_be_run_and_what_it_takes",
        "jobs/test_params.py::test_the_schema_is_fit_for_a_form",
    ],
    # Run
    "run.id, attempt, job_type, team_id, project_id, params, state.": [
        "jobs/test_run.py::test_a_run_says_who_it_is",
        "jobs/test_run.py::test_params_are_read_only_and_a_copy",
    ],
    "run.idempotency_key is stable over attempts.": [
        "jobs/test_run.py::test_the_idempotency_key_is_the_same_in_every_attempt_and_for_no_other_run",
        "examples/test_http_client.py::test_a_second_attempt_calls_with_the_same_key_and_another_run_with_another",
    ],
    "run.progress(processed, total, message) is seen while the run runs.": [
        "jobs/test_progress.py::test_a_report_is_stored_as_given",
        "workers/test_execute.py::test_progress_is_seen_while_the_run_runs",
    ],
    "run.track works in async and plain handlers, and fills in {processed} and {total}.": [
        "jobs/test_track.py::test_each_item_is_handed_out_and_reported_once_it_is_done",
        "jobs/test_track.py::test_a_plain_loop_works_in_an_async_handler",
        "jobs/test_track.py::test_async_items_are_tracked_by_an_async_loop",
        "jobs/test_progress.py::test_a_template_says_the_numbers_it_is_stored_with",
    ],
    "run.track raises RunCancelled at the next item.": [
        "jobs/test_track.py::test_a_cancel_stops_in_place_of_the_next_item",
        "jobs/test_track.py::test_a_cancel_stops_an_async_loop_in_place_of_the_next_item",
        "workers/test_execute.py::test_a_cancelled_run_stops_at_the_next_item_and_ends_cancelled",
    ],
    "run.cancelled and run.check_cancelled() tell of a cancel.": [
        "jobs/test_run.py::test_a_cancel_is_seen_by_asking_or_by_raising"
    ],
    "run.log.info(text, **fields) and the other levels are kept with the run, within limits, drops counted.": [
        "jobs/test_log.py::test_each_level_has_its_number",
        "workers/test_logs.py::test_lines_are_there_when_the_run_has_ended",
        "workers/test_logs.py::test_what_is_beyond_the_limits_of_a_run_is_counted_over_all_its_attempts",
        "workers/test_logs.py::test_a_line_that_would_pass_the_bytes_of_a_run_is_dropped_and_a_shorter_one_still_fits",
    ],
    "run.checkpoint is durable and fenced when it returns; in a plain handler it blocks.": [
        "workers/test_execute.py::test_a_checkpoint_is_durable_when_it_returns",
        "workers/test_execute.py::test_a_checkpoint_of_a_plain_handler_blocks_until_it_is_stored",
        "workers/test_control.py::test_a_lost_attempt_can_write_nothing_and_its_crash_is_forgiven",
    ],
    "run.checkpointed is the last state, of this attempt or an earlier one, or None.": [
        "jobs/test_run.py::test_an_earlier_attempts_checkpoint_is_there_and_changing_it_changes_nothing",
        "workers/test_control.py::test_a_run_of_a_dead_worker_goes_on_from_its_checkpoint",
        "examples/test_resume.py::test_the_next_worker_goes_on_where_the_last_one_saved",
    ],
    "run.transaction() commits the author's rows together with tx.checkpoint(state).": [
        "workers/test_transactions.py::test_rows_and_checkpoint_are_committed_together",
        "workers/test_transactions.py::test_what_raises_inside_stores_nothing",
        "examples/test_rows_and_checkpoint.py::test_rows_and_checkpoint_agree_when_the_worker_goes_and_in_the_end",
    ],
    "run.transaction() is fenced, and takes at most 10 seconds.": [
        "workers/test_transactions.py::test_an_attempt_that_lost_its_run_stores_nothing",
        "workers/test_transactions.py::test_one_that_takes_too_long_is_rolled_back",
    ],
    "Every run.* call raises LeaseLost once the attempt may not act any more.": [
        "jobs/test_run.py::test_every_call_fails_once_the_lease_is_lost",
        "workers/test_control.py::test_a_handler_sees_that_the_lease_was_lost_and_the_run_begins_anew_uncharged",
    ],
    # Outcomes
    "Who returns a dict or None has completed.": [
        "workers/test_execute.py::test_an_async_handler_completes_with_its_result",
        "jobs/test_outcome.py::test_no_result_is_none_and_not_an_empty_object",
    ],
    "JobFailed(message, result, retry): failed with the result kept, and final unless retry=True.": [
        "workers/test_execute.py::test_a_failure_may_keep_a_result",
        "workers/test_retries.py::test_job_failed_is_final_unless_it_asks_for_a_retry",
    ],
    "Any other exception fails the run, or has it tried again with backoff and jitter.": [
        "workers/test_execute.py::test_whatever_a_handler_raises_fails_its_run_and_only_that",
        "workers/test_retries.py::test_a_retry_waits_between_one_and_two_seconds_at_first",
        "jobs/test_retry.py::test_the_delay_doubles_from_two_seconds_to_an_hour",
        "jobs/test_retry.py::test_between_half_and_all_of_it_is_waited",
    ],
    "Who returns early after run.cancelled is cancelled, and the result is kept.": [
        "workers/test_execute.py::test_a_handler_that_returns_early_after_a_cancel_keeps_its_result"
    ],
    "Result and checkpoint are JSON of up to 1 MiB, or a clear failure.": [
        "jobs/test_outcome.py::test_the_largest_and_the_deepest_are_stored",
        "jobs/test_outcome.py::test_what_is_not_a_result_says_why",
        "jobs/test_run.py::test_a_state_that_is_not_json_is_refused",
        "workers/test_execute.py::test_a_result_that_cannot_be_kept_fails_the_run",
    ],
    # Around the handler
    "await app.trigger(conn, …) enqueues inside the caller's own transaction.": [
        "test_app.py::test_a_transaction_that_commits_leaves_the_row_and_the_run",
        "test_app.py::test_a_transaction_that_rolls_back_leaves_neither",
        "examples/test_trigger_with_order.py::test_an_order_is_confirmed_by_the_run_that_was_stored_with_it",
    ],
    "tawny.testing.run runs a handler without a server.": ["testing/test_run.py::test_all_that_a_handler_does_is_seen"],
    "A server finds the app by --app or TAWNY_APP; the current folder is importable.": [
        "cli/test_usage.py::test_the_app_is_the_one_that_is_named",
        "jobs/test_load.py::test_an_app_in_the_current_folder_is_found",
        "walks/test_readme.py::test_the_readme_works_as_printed",
    ],
    "Without an app it loads the demo, whose job counts a real source tree.": [
        "jobs/test_demo.py::test_the_default_is_the_standard_library",
        "walks/test_census.py::test_progress_moves_while_it_runs_and_the_totals_are_right",
    ],
    "The first start makes a team, a user, a project and a key; the printed curl line works at once.": [
        "walks/test_serve.py::test_the_printed_line_works_as_printed",
        "walks/test_serve.py::test_the_key_is_printed_only_by_the_first_start",
    ],
}


def collected(files: set[str]) -> Iterator[str]:
    """The tests that stand in these files."""
    for file in files:
        for name in re.findall(r"^(?:async )?def (test_\w+)", (TESTS / file).read_text(), re.MULTILINE):
            yield f"{file}::{name}"


def test_each_promise_names_tests_that_exist() -> None:
    named = {test.partition("[")[0] for tests in PROMISES.values() for test in tests}
    assert named - set(collected({test.partition("::")[0] for test in named})) == set()


def test_no_promise_is_without_a_test() -> None:
    assert [promise for promise, tests in PROMISES.items() if not tests] == []


def test_the_numbers_are_those_that_authors_are_told() -> None:
    app = Tawny()

    @app.job("default")
    def default(run: Run) -> None: ...

    mebibyte = 1024 * 1024
    assert (mebibyte, 10_000, mebibyte) == (outcome.LIMIT, log_buffer.LINES, log_buffer.BYTES)
    assert (transactions.LONGEST, retry.FIRST, retry.LONGEST) == (10, 2, 3600)
    assert (app.jobs["default"].cancel_grace, app.jobs["default"].retries) == (30, 0)
