//! The table of every case, in one place: the list that each backend's tests are made from.

/// Hands every case to the macro `$with`, with whatever `$more` stands after it.
///
/// A case that is missing here is dead code, which the compiler refuses.
#[macro_export]
macro_rules! conformance_cases {
    ($with:path $(, $more:tt)*) => {
        $with! {
            ($($more),*)
            add {
                a_new_task_is_ready_and_has_no_attempt,
                every_field_of_a_definition_comes_back,
                every_choice_of_a_definition_comes_back,
                data_comes_back_byte_for_byte,
                data_of_four_mebibytes_comes_back,
                absent_data_stays_absent,
                every_priority_comes_back,
                the_longest_run_timeout_comes_back,
                the_moment_of_an_add_may_lie_before_1970,
                an_add_with_a_start_is_running_at_once,
                a_thousand_adds_of_one_batch_are_a_thousand_tasks,
                a_sequence_number_that_is_taken_is_refused,
                the_greatest_sequence_number_is_usable,
                tasks_of_many_operations_keep_theirs,
            }
            attached {
                an_attached_task_is_its_owners_until_it_ends,
                what_is_attached_to_the_living_is_theirs,
                what_is_attached_to_the_dead_is_found_until_it_has_ended,
                what_is_attached_to_who_has_closed_is_of_the_dead,
            }
            key {
                a_key_leads_to_its_task,
                an_unknown_key_leads_nowhere,
                a_key_that_is_taken_is_refused,
                a_key_that_stands_twice_in_a_batch_is_refused,
                a_key_outlives_the_process_and_the_end_of_its_task,
                a_key_goes_with_its_refused_batch,
            }
            start {
                a_started_task_is_running_under_its_run,
                a_running_task_does_not_start_again,
                an_ended_task_does_not_start_again,
                a_task_that_never_was_does_not_start,
                the_second_start_of_a_batch_is_refused_with_the_first,
                an_attempt_is_counted_before_its_process_dies,
                the_next_attempt_has_its_own_run_and_keeps_the_first,
                a_started_task_leaves_the_queue,
            }
            end {
                a_result_comes_back_byte_for_byte,
                an_absent_result_stays_absent,
                an_end_has_its_state_time_and_attempt,
                every_cause_comes_back,
                an_end_by_a_loss_ends_its_attempt_as_lost,
                a_waiting_task_that_is_aborted_never_had_an_attempt,
                a_task_aborted_between_two_attempts_keeps_one,
                an_end_under_the_same_run_twice_is_refused,
                a_late_end_of_an_old_run_is_refused,
                an_end_under_a_forged_run_is_refused,
                an_end_under_the_run_of_another_task_is_refused,
                an_end_without_a_run_does_not_touch_a_running_task,
                an_end_under_a_run_does_not_touch_a_waiting_task,
                a_task_that_never_was_does_not_end,
                an_end_survives_crash_after_crash,
                a_result_of_four_mebibytes_comes_back,
                a_whole_life_fits_one_batch,
            }
            release {
                a_lost_run_stays_counted_and_goes_to_the_history,
                a_postponed_run_is_not_counted,
                a_released_task_returns_to_its_place_in_the_queue,
                attempts_and_losses_come_back_with_the_window,
                a_run_is_released_once,
                an_old_run_cannot_release_its_successor,
                an_ended_task_is_not_released,
                a_waiting_task_is_not_released,
                fifty_attempts_are_kept_oldest_first,
                the_logs_of_a_lost_run_are_kept,
            }
            timers {
                a_delayed_task_waits_with_a_timer_and_keeps_its_start_time,
                a_start_time_that_is_over_is_kept_and_has_no_timer,
                timers_come_by_time_and_number_within_bounds,
                what_is_due_takes_its_place_in_the_queue,
                many_are_due_in_one_batch_and_one_that_is_not_refuses_it,
                what_is_due_may_start_in_the_same_batch,
                timers_that_have_fired_are_forgotten_and_no_others,
                a_delayed_task_that_is_aborted_leaves_a_timer_for_nothing,
                the_content_of_a_delayed_task_is_there_when_it_is_due,
            }
            postponing {
                a_wish_to_give_a_run_back_is_kept_for_its_run,
                a_wish_for_a_run_that_is_not_live_is_refused,
                a_run_may_be_given_back_until_a_moment,
                a_delayed_task_may_be_put_off,
                a_run_that_is_given_back_keeps_its_dependencies,
                a_task_that_is_put_off_has_a_later_queue_timeout,
            }
            queue_timeout {
                a_queue_timeout_comes_back_with_its_moment_and_a_timer,
                it_may_end_at_another_moment_or_not_at_all,
                a_delayed_task_has_it_too,
                a_brief_tells_whether_a_run_ever_began,
            }
            dependencies {
                a_blocked_task_waits_and_is_no_part_of_the_queue,
                those_who_wait_are_found_by_what_they_wait_for,
                what_is_met_is_waited_for_no_more,
                open_dependencies_are_counted_up_to_a_bound,
                an_unblocked_task_takes_its_place_in_the_queue,
                a_blocked_task_may_be_delayed_prioritized_and_aborted,
                who_has_let_go_waits_for_nothing,
                a_task_may_depend_on_a_thousand,
                a_timer_of_an_ended_task_is_found_and_told_of,
                states_are_looked_up_by_number,
                the_failure_of_a_dependency_means_what_its_dependent_says,
                queries_know_dependencies_and_parents,
                dependencies_survive_a_crash,
            }
            removal {
                a_removed_task_is_gone_with_all_that_is_of_it,
                what_has_not_ended_is_not_removed,
                a_removed_task_is_not_removed_again_and_its_number_is_not_given_again,
                many_are_removed_in_one_batch_and_one_that_has_not_ended_refuses_it,
                a_removal_survives_a_crash_and_a_refused_one_was_never_there,
                a_key_outlives_its_removed_task_and_leads_to_its_uuid,
                keys_of_removed_tasks_are_forgotten_when_their_time_is_over_and_no_others,
                what_is_expired_has_ended_and_its_own_retention_is_over,
                a_brief_and_an_orphan_say_how_long_a_task_is_kept,
                a_reader_finds_what_is_left_between_removed_tasks,
                what_matches_comes_by_number_whatever_its_state,
                what_is_needed_is_said_to_be,
                a_unique_key_goes_with_its_task,
            }
            prioritize {
                a_greater_priority_moves_a_waiting_task_ahead,
                a_new_priority_survives_a_crash,
                equal_priorities_go_by_age_whatever_they_were,
                minus_zero_is_zero,
                a_running_task_keeps_its_priority,
                an_ended_task_keeps_its_priority,
                a_task_that_never_was_is_not_prioritized,
                the_same_priority_again_is_no_error,
            }
            log {
                every_field_of_a_line_comes_back,
                lines_come_back_in_the_order_of_their_numbers,
                a_level_brings_itself_and_graver_ones,
                lines_come_part_by_part_until_the_task_is_over,
                lines_before_the_end_of_a_batch_are_stored_with_it,
                a_line_after_the_end_is_refused,
                a_line_of_a_fenced_run_is_refused,
                a_line_under_a_forged_run_is_refused,
                logs_come_only_when_asked_for,
                lines_survive_a_crash,
                each_task_has_its_own_lines,
            }
            progress {
                the_last_report_counts,
                a_total_and_a_unit_may_be_absent,
                any_unit_comes_back,
                an_ended_task_keeps_its_last_report,
                a_report_under_a_forged_run_is_refused,
                a_waiting_task_has_no_report,
                a_report_goes_with_its_run,
            }
            window {
                greater_priority_comes_first_then_age,
                the_queue_is_the_same_after_a_crash,
                a_waiting_task_brings_its_whole_definition,
                a_waiting_task_says_how_many_lines_it_has,
                a_window_shows_its_own_lane_only,
                running_and_ended_tasks_do_not_wait,
                a_lane_without_tasks_is_complete_and_empty,
                a_window_stops_at_its_number_of_tasks,
                a_window_stops_after_the_task_that_passes_its_bytes,
                the_head_of_a_long_queue_is_the_head,
                a_window_begins_where_it_is_asked_to,
                many_windows_share_their_bytes,
            }
            heads {
                a_lane_without_ready_tasks_has_no_head,
                a_head_is_the_first_task_and_the_place_of_the_second,
                the_lanes_of_an_operation_have_a_head_each,
                heads_come_in_portions,
            }
            contents {
                contents_are_found_by_the_numbers_of_tasks,
                what_never_was_has_no_contents,
                a_task_that_has_started_before_brings_what_it_had,
                reading_stops_after_the_task_that_passes_the_bytes,
            }
            brief {
                a_waiting_task_in_brief,
                a_running_task_in_brief,
                an_ended_task_in_brief_brings_its_outcome,
                a_number_that_is_not_given_yet_is_nothing,
                a_brief_names_the_uuid_of_its_row,
            }
            pause {
                a_paused_task_has_left_the_queue_and_says_since_when,
                a_pause_keeps_what_a_task_says,
                a_delayed_task_is_paused_and_delayed_again,
                a_moment_that_was_named_stays_one,
                a_paused_task_is_aborted_and_prioritized_where_it_is,
                a_wish_is_kept_with_its_run,
                a_run_that_has_halted_is_live_and_its_task_paused,
                a_run_that_has_halted_is_a_remote_run_of_others,
                a_run_that_has_halted_is_an_orphan_of_the_dead,
                a_run_that_has_halted_is_listed_among_the_running,
                a_blocked_task_is_paused_and_blocked_again,
                a_run_may_be_halted_and_given_back,
            }
            retry {
                a_failed_attempt_is_kept_with_its_error_and_its_task_is_ready,
                a_pause_is_a_start_time_with_a_timer,
                a_snoozed_run_is_not_counted,
                failures_come_back_with_the_window_and_the_orphan,
                the_last_attempts_are_kept_and_the_others_are_counted,
                an_ended_task_is_opened_again_with_its_history,
                a_task_that_ended_before_it_ran_is_opened_again,
                failures_and_losses_count_no_more_after_a_task_was_opened_again,
                a_task_may_be_opened_delayed_and_started_in_one_batch,
                only_an_ended_task_is_opened_again,
                the_error_of_the_last_attempt_is_found,
                queries_know_attempts_and_policy,
                a_task_that_was_tried_often_survives_a_crash,
            }
            unique {
                a_unique_key_belongs_to_its_operation,
                a_holder_comes_back_with_how_long_it_holds,
                a_unique_key_that_another_has_is_refused,
                a_unique_key_is_taken_over_from_the_task_that_had_it,
                a_task_ends_and_the_next_takes_its_key_in_one_batch,
                a_task_may_have_keys_of_both_kinds,
                queries_know_what_is_unique,
            }
            update {
                a_task_that_waits_gets_another_definition_and_stays_the_same,
                its_place_in_the_queue_is_that_of_its_priority,
                a_delayed_task_gets_another_moment_and_a_timer,
                a_task_may_be_updated_and_delayed_or_made_ready_in_one_batch,
                a_blocked_task_gets_another_definition_and_waits_for_nothing,
                an_update_of_a_task_that_waits_elsewhere_is_refused,
            }
            operations {
                a_new_store_has_no_operations,
                an_operation_comes_with_its_first_task,
                operations_come_back_by_number,
                an_operation_of_the_greatest_length_comes_back,
                an_operation_with_the_greatest_number_comes_back,
                an_operation_goes_with_its_refused_batch,
                the_record_of_an_operation_comes_back_with_all_that_it_says,
                a_record_without_tasks_is_read_by_name,
                a_record_has_the_version_after_the_one_before,
                a_number_and_a_name_are_those_of_one_operation,
                a_record_goes_with_its_refused_batch,
            }
            orphans {
                a_new_store_has_no_orphans,
                the_runs_of_the_living_are_no_orphans,
                a_run_of_a_dead_owner_is_an_orphan_with_its_facts,
                a_run_that_began_with_its_add_is_an_orphan,
                orphans_come_in_queue_order,
                waiting_and_ended_tasks_of_the_dead_are_no_orphans,
                a_released_orphan_is_none_any_more,
                an_ended_orphan_is_none_any_more,
                what_is_left_after_a_part_was_recovered_are_orphans,
                a_crash_before_the_recovery_is_committed_changes_nothing,
                the_runs_of_several_dead_owners_are_all_found,
                runs_left_at_close_are_orphans,
                an_owner_is_new_at_every_open,
            }
            commit {
                what_is_committed_survives_a_crash,
                a_refused_change_takes_the_whole_batch_with_it,
                a_refusal_names_its_change_and_the_rest_can_be_written,
                changes_are_applied_in_their_order,
                a_transaction_that_is_dropped_changes_nothing,
                a_hundred_commits_are_all_kept,
                tidying_changes_nothing,
            }
            head {
                a_new_store_begins_at_zero,
                each_commit_moves_the_head,
                the_head_survives_crash_and_close,
                a_refused_batch_leaves_the_head,
                the_next_number_may_leap,
                the_next_number_of_a_lane_is_that_of_the_last_batch,
                counters_equal_a_recount,
                counts_of_operations_are_those_of_their_tasks,
            }
            journal {
                an_empty_batch_moves_the_number,
                the_head_outlives_a_trimmed_journal,
                batches_go_on_counting_behind_a_trimmed_journal,
                a_trimmed_journal_leaves_every_task,
            }
            lanes {
                each_lane_has_a_queue_of_its_own,
                the_lanes_of_all_operations_are_found_as_one_queue,
                a_task_has_its_operation_in_every_lane_and_state,
                an_operation_is_found_in_all_its_lanes_and_no_other_is,
                a_task_comes_back_to_its_lane,
                orphans_of_several_lanes_come_in_queue_order,
                runs_of_the_other_handle_are_counted_in_each_lane,
                the_live_runs_of_all_handles_come_by_number,
                the_journal_names_the_lane_of_each_step,
                a_brief_names_the_lane,
            }
            lookup {
                every_task_is_found_by_its_uuid,
                a_uuid_with_another_time_is_not_found,
                a_uuid_of_another_database_is_not_found,
                a_uuid_that_is_not_given_yet_is_not_found,
                the_least_and_the_greatest_uuid_are_not_found,
                the_key_of_the_ids_survives,
                two_uuids_of_one_number_are_two_names,
                many_are_looked_up_at_once_in_their_order,
            }
            numbers {
                tasks_by_number_come_in_both_directions_and_within_bounds,
                many_and_large_tasks_come_by_number,
                lists_of_tasks_far_apart_begin_as_the_whole,
            }
            reader {
                a_reader_sees_each_commit_at_once,
                a_reader_sees_the_last_commit_while_the_next_is_open,
                nothing_is_found_in_a_new_store,
                every_query_of_the_table_finds_its_tasks,
                every_query_of_the_table_is_explained,
                a_count_is_the_number_of_tasks_found,
                a_found_task_is_the_one_that_get_gives,
                found_tasks_have_the_fields_that_are_asked_for,
                found_tasks_bring_their_logs_if_asked_for,
                thousands_of_tasks_are_found_each_once,
                what_a_task_is_called_is_found,
                what_a_task_is_called_counts_as_its_data_does,
                a_read_of_too_many_bytes_is_refused,
                a_find_of_too_many_bytes_is_refused,
                a_task_exists_if_one_is_counted,
                a_cancelled_read_ends_with_closed,
            }
            order {
                the_default_order_is_waiting_running_ended,
                running_tasks_stand_in_the_order_of_their_starts,
                a_sort_decides_the_order,
                a_sort_is_stable,
                skip_and_limit_cut_a_part_of_the_whole,
            }
            guards {
                a_store_allows_what_the_table_allows_and_nothing_else,
                nothing_of_a_forged_run_is_written,
                nothing_of_a_run_that_is_over_is_written,
                an_ended_task_never_changes,
                runs_are_not_interchangeable,
                a_run_outlives_its_owner_until_it_is_released,
            }
            asked {
                a_run_is_not_to_be_aborted_unless_somebody_asks,
                the_first_reason_for_a_run_stays,
                an_abort_that_was_asked_for_holds_for_its_run_alone,
                an_abort_of_a_run_that_is_not_live_is_refused,
                an_orphan_says_why_it_was_to_be_aborted,
                an_abort_asked_for_in_the_batch_of_the_start_is_found,
            }
            explaining {
                a_background_tells_of_an_end_and_of_the_attempt_before,
                a_background_names_open_dependencies,
                the_runs_of_an_operation_are_found_whoever_runs_them,
                a_part_of_a_queue_is_counted,
            }
            lapsing {
                those_that_lapse_are_found_by_their_operation,
                who_does_not_lapse_any_more_is_not_found,
            }
            holds {
                a_hold_comes_back_as_it_was_made_with_a_timer_at_its_end,
                a_number_is_given_to_one_hold_and_released_once,
                a_ready_task_is_held_and_stands_among_those_of_its_hold,
                a_freed_task_is_ready_and_starts_from_then_on,
                a_new_task_may_be_held_as_it_comes,
                a_held_task_has_no_place_in_the_queue_until_it_is_freed,
                nothing_of_a_hold_is_left_of_a_task_that_was_paused,
                a_held_task_that_is_put_off_is_held_no_more,
                what_becomes_of_a_hold_is_told_in_the_journal,
            }
            schedules {
                a_schedule_comes_back_as_it_was_made_with_a_timer_at_its_next_tick,
                a_number_and_an_id_are_given_to_one_schedule,
                a_schedule_changes_version_by_version,
                a_paused_schedule_and_one_that_is_over_have_no_timer,
                a_schedule_that_is_removed_leaves_its_id_free,
                schedules_are_found_by_id_and_by_number_and_counted,
                schedules_are_read_by_id_a_part_at_a_time,
                what_becomes_of_a_schedule_is_told_in_the_journal,
            }
            outside {
                a_claim_is_its_tasks_until_it_begins_or_is_given_back,
                a_claim_and_a_run_of_an_executor_outlive_the_process,
                a_run_of_an_executor_is_renewed_and_ends_its_lease_with_it,
                what_executors_have_counts_as_runs_of_others_and_is_no_orphan,
                leases_come_by_their_ends,
                nothing_of_a_claim_under_another_run_is_written,
                what_was_claimed_goes_with_its_task,
            }
            gates {
                an_arrival_comes_back_and_the_last_one_counts,
                gates_that_rest_are_forgotten_and_no_others,
                gates_that_rest_are_forgotten_some_at_a_time,
                a_sorted_task_keeps_its_place_and_has_another_lane,
                what_becomes_of_a_gate_is_told_to_nobody,
                a_circuit_comes_back_and_the_last_one_counts,
                circuits_that_rest_are_forgotten_with_the_other_gates,
                a_turn_of_a_circuit_is_told_and_nothing_else_of_it,
            }
            offers {
                who_has_said_nothing_offers_nothing,
                what_an_owner_offers_is_seen_by_the_others_and_not_by_itself,
                a_change_of_offers_is_told_in_the_journal,
                a_dead_owner_offers_what_it_offered_until_it_is_buried,
                who_opens_finds_what_the_dead_have_offered,
                a_dead_owner_is_buried_and_its_runs_are_recovered,
                who_offers_nothing_any_more_leaves_nothing_to_bury,
            }
            shared {
                news_of_another_handle_are_told_once,
                a_look_tells_news_and_keeps_nobody_waiting,
                what_one_does_oneself_is_no_news,
                a_handle_goes_on_where_the_other_has_been,
                the_journal_names_who_did_what,
                a_journal_is_read_in_parts,
                a_journal_reaches_back_without_a_gap_as_far_as_it_is_kept,
                runs_of_the_other_handle_are_counted_by_lane,
                runs_of_the_dead_are_remote_until_they_are_recovered,
                an_abort_asked_for_by_one_handle_is_found_by_the_other,
                the_runs_of_a_living_neighbour_are_no_orphans,
                the_runs_of_a_neighbour_that_died_are_found_by_one_look,
                the_runs_of_a_neighbour_that_closed_are_found_by_one_look,
                an_orphan_is_recovered_by_one_of_two,
                a_handle_that_is_not_alone_is_to_be_looked_after,
                a_task_of_one_handle_is_ended_by_the_other,
                the_owners_that_live_are_counted,
            }
            watching {
                where_a_store_stands_is_its_last_commit,
                each_commit_is_read_with_its_time_and_its_notes,
                commits_are_read_in_parts,
                a_task_and_its_operation_are_as_they_are_now,
                a_watch_tells_what_matches_and_then_each_change,
                a_note_says_what_a_task_was_before_a_change,
                who_goes_on_hears_of_a_task_whose_leaving_nobody_could_tell,
                a_watch_behind_what_is_kept_tells_one_gap_and_what_matches,
                watches_hear_of_their_own_tasks,
            }
            close {
                a_closed_store_opens_again_as_it_was,
                twenty_open_and_close_cycles_leave_the_way_free,
                a_close_right_after_a_commit_loses_nothing,
                crash_and_close_may_alternate,
            }
        }
    };
}

/// Makes one test of each case, and one of the interplay, on the databases that `$lab` makes:
/// `conformance!(my_lab)` with `fn my_lab() -> Result<Box<dyn Backend>>`.
#[macro_export]
macro_rules! conformance {
    ($lab:ident) => {
        $crate::conformance_cases!($crate::conformance_tests, $lab);

        mod interplay {
            #[test]
            fn every_built_cell_is_as_the_page_says() -> tasker_core::error::Result<()> {
                $crate::conformance::interplay::check(super::$lab)
            }
        }
    };
}

/// The tests of [`conformance!`].
#[macro_export]
macro_rules! conformance_tests {
    (($lab:ident) $($noun:ident { $($case:ident,)* })*) => {
        $(mod $noun {
            $(#[test]
            fn $case() -> tasker_core::error::Result<()> {
                $crate::conformance::run(super::$lab, stringify!($noun), stringify!($case))
            })*
        })*
    };
}
