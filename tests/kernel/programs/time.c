/* Time: budgets, periods, turns. An instruction takes a nanosecond, and the time stamp counter counts them. */
#include "root.h"
#include "runs.h"

enum { microsecond = 1000, millisecond = 1000 * microsecond };

static word done, reply;

static word control;

static word configure(word context, word budget, word period) {
  return SchedControl_ConfigureFlags(control, budget, period, 0, 0x77, 0, context);
}

/* A thread that spins, with this budget in each period, in microseconds. It does not run yet. */
static struct thread *spinner(word who, word priority, word budget, word period) {
  struct thread *thread = new_thread(priority, 0, spin, who);
  ok(configure(thread->context, budget, period));
  run_counts[who] = 0;
  return thread;
}

static void check_budget(void) {
  it("runs for its budget in each period, to the microsecond");
  most_runs = 4;
  struct thread *thread = spinner(0, 255, 500, 4000);
  word start = now();
  ok(TCB_Resume(thread->tcb));
  wait(done);
  ok(TCB_Suspend(thread->tcb));
  for (word n = 0; n < most_runs; n++) {
    check_between(runs[0][n].to - runs[0][n].from, 499 * microsecond, 500 * microsecond);
    if (n > 0) check_between(runs[0][n].from - runs[0][n - 1].from, 3999 * microsecond, 4001 * microsecond);
  }
  check_between(runs[0][0].from - start, 0, 5 * microsecond);

  it("lets a thread of lower priority have the rest");
  word others = 0;
  for (word n = 1; n < most_runs; n++) others += runs[0][n].from - runs[0][n - 1].to;
  check_between(others, 3 * 3500 * microsecond, 3 * 3501 * microsecond);

  it("changes the budget of a thread at once");
  most_runs = 4;
  run_counts[0] = 0;
  ok(configure(thread->context, 300, 2000));
  ok(TCB_Resume(thread->tcb));
  wait(done);
  ok(TCB_Suspend(thread->tcb));
  /* What it ran before is the first. */
  for (word n = 2; n < most_runs; n++) {
    check_between(runs[0][n].to - runs[0][n].from, 299 * microsecond, 300 * microsecond);
    check_between(runs[0][n].from - runs[0][n - 1].from, 1999 * microsecond, 2001 * microsecond);
  }
}

static void check_turns(void) {
  it("lets threads of one priority run in turns of their budget, when that is all of their period");
  most_runs = 5;
  struct thread *a = spinner(0, 100, 1000, 1000), *b = spinner(1, 100, 2000, 2000);
  ok(TCB_Resume(a->tcb));
  ok(TCB_Resume(b->tcb));
  wait(done);
  wait(done);
  ok(TCB_Suspend(a->tcb));
  ok(TCB_Suspend(b->tcb));
  for (word n = 1; n < 4; n++) {
    check_between(runs[0][n].to - runs[0][n].from, 999 * microsecond, 1000 * microsecond);
    check_between(runs[1][n].to - runs[1][n].from, 1999 * microsecond, 2000 * microsecond);
    check_between(runs[0][n].from - runs[0][n - 1].from, 3 * millisecond - microsecond, 3 * millisecond + microsecond);
  }

  it("lets a thread of another priority run only when none of the higher can");
  struct thread *low = spinner(2, 99, 1000, 1000), *high = spinner(3, 100, 1000, 4000);
  most_runs = 4;
  ok(TCB_Resume(low->tcb));
  ok(TCB_Resume(high->tcb));
  wait(done);
  ok(TCB_Suspend(low->tcb));
  ok(TCB_Suspend(high->tcb));
  for (word n = 0; n < run_counts[2]; n++)
    for (word m = 0; m < run_counts[3]; m++) check(runs[2][n].to < runs[3][m].from || runs[3][m].to < runs[2][n].from);
}

static volatile word passes[2];

static void pass_on(word who) {
  for (;;) {
    passes[who]++;
    yield();
  }
}

static void check_yield(void) {
  it("gives the rest of a turn to the next thread of its priority");
  struct thread *a = new_thread(100, 0, pass_on, 0), *b = new_thread(100, 0, pass_on, 1);
  ok(TCB_Resume(a->tcb));
  ok(TCB_Resume(b->tcb));
  ok(configure(a->context, 1000, 1000));
  word start = now();
  struct thread *clock = spinner(0, 101, 100, 1000);
  most_runs = 1;
  ok(TCB_Resume(clock->tcb));
  wait(done);
  ok(TCB_Suspend(a->tcb));
  ok(TCB_Suspend(b->tcb));
  ok(TCB_Suspend(clock->tcb));
  check(passes[0] > 100);
  check(passes[0] - passes[1] + 1 <= 2);

  it("has the thread of another scheduling context run first, and is told how long that ran");
  struct thread *target = spinner(1, 255, 500, 5000);
  most_runs = 64;
  ok(TCB_Resume(target->tcb));
  ok(SchedContext_Consumed(target->context));
  word before = now();
  set_priority(254);
  set_priority(255);
  ok(SchedContext_YieldTo(target->context));
  check_between(answer(0), 0, 501);
  ok(TCB_Suspend(target->tcb));
  check_is(SchedContext_YieldTo(slot_sched_context), error_IllegalOperation);
  ok(TCB_SetMCPriority(slot_tcb, 254, slot_tcb));
  check_is(SchedContext_YieldTo(target->context), error_IllegalOperation);
}

static void burn(word microseconds) {
  word end = now() + microseconds * microsecond;
  while (now() < end) {}
  signal(done);
}

static void check_consumed(void) {
  it("counts the microseconds that a thread has run");
  struct thread *thread = new_thread(255, 0, burn, 700);
  ok(configure(thread->context, 1000, 1000));
  ok(TCB_Resume(thread->tcb));
  wait(done);
  ok(SchedContext_Consumed(thread->context));
  check_between(answer(0), 700, 703);
  ok(SchedContext_Consumed(thread->context));
  check_is(answer(0), 0);
  ok(TCB_Suspend(thread->tcb));
}

static void check_timeouts(void) {
  it("tells a timeout's handler the badge of the scheduling context and how long it ran, each time");
  word handler = make(object_Endpoint);
  struct thread *thread = spinner(0, 100, 500, 3000);
  most_runs = 64;
  ok(TCB_SetTimeoutEndpoint(thread->tcb, handler));
  ok(TCB_Resume(thread->tcb));
  struct message message = receive(handler, reply);
  word first = now();
  check_is(message.label, fault_Timeout);
  check_is(message.length, 2);
  check_is(answer(Timeout_badge), 0x77);
  check_between(answer(Timeout_consumed), 500, 501);
  message = reply_receive(handler, reply, (struct message){0});
  check_is(message.label, fault_Timeout);
  check_between(answer(Timeout_consumed), 500, 501);
  check_between(now() - first, 3000 * microsecond - microsecond, 3001 * microsecond);

  it("stops the thread when the answer says so, by a label");
  send(reply, (struct message){.label = 1});
  word count = run_counts[0], began = now();
  while (now() < began + 4 * millisecond) {}
  set_priority(50);
  set_priority(255);
  check_is(run_counts[0], count);
  ok(TCB_SetTimeoutEndpoint(thread->tcb, 0));
  ok(TCB_Suspend(thread->tcb));

  it("does not tell of turns that are all of their period");
  struct thread *round = spinner(1, 100, 500, 500);
  ok(TCB_SetTimeoutEndpoint(round->tcb, handler));
  ok(TCB_Resume(round->tcb));
  set_priority(100);
  yield();
  for (word began = now(); now() < began + pause;) {}
  yield();
  set_priority(255);
  check_is(nb_receive(handler, reply).badge, 0);
  check(run_counts[1] > 0);
  ok(TCB_Suspend(round->tcb));
}

static volatile word woken[40], wakes;

/* Runs for 100 microseconds each time that it is woken. */
static void serve_briefly(word notification) {
  for (;;) {
    wait(notification);
    word from = now();
    woken[wakes++] = from;
    while (now() < from + 100 * microsecond) {}
  }
}

static void check_refills(void) {
  it("gets back what it used a period after it used it, and never more than its budget in any period");
  word notification = make(object_Notification);
  struct thread *thread = new_thread(255, 0, serve_briefly, notification);
  ok(SchedControl_ConfigureFlags(control, 350, 2000, 6, 0, 1, thread->context));
  ok(TCB_Resume(thread->tcb));
  set_priority(254);
  word start = now();
  for (word next = start; next < start + 20 * millisecond; next += 250 * microsecond) {
    while (now() < next) {}
    signal(notification);
  }
  set_priority(255);
  ok(TCB_Suspend(thread->tcb));
  check(wakes >= 30);
  /* Four of them would be more than the budget. */
  for (word n = 4; n < wakes; n++) check(woken[n] - woken[n - 4] >= 2 * millisecond - 150 * microsecond);
}

static void check_limits(void) {
  word context = make_sized(object_SchedContext, 8);
  it("has budgets and periods from 20 microseconds to an hour, and no budget above its period");
  check_is(configure(context, 19, 100), error_RangeError);
  check_is(answer(0), 20);
  check_is(configure(context, 100, 19), error_RangeError);
  check_is(configure(context, 200, 100), error_RangeError);
  check_is(answer(1), 100);
  check_is(configure(context, 20, ~0ul), error_RangeError);
  ok(configure(context, 20, 20));
  it("has as many refills as its memory has room for");
  check_is(SchedControl_ConfigureFlags(control, 100, 200, 9, 0, 0, context), error_RangeError);
  check_is(answer(0), 0);
  check_is(answer(1), 8);
  ok(SchedControl_ConfigureFlags(control, 100, 200, 8, 0, 0, context));

  it("runs one thread, and that on no other");
  struct thread *a = spinner(0, 100, 1000, 1000), *b = spinner(1, 100, 1000, 1000);
  check_is(SchedContext_Bind(context, a->tcb), error_IllegalOperation);
  check_is(SchedContext_Bind(a->context, b->tcb), error_IllegalOperation);
  check_is(SchedContext_UnbindObject(a->context, b->tcb), error_IllegalOperation);
  check_is(SchedContext_Unbind(slot_sched_context), error_IllegalOperation);
  it("lets a thread without one wait until it has one");
  ok(SchedContext_Unbind(a->context));
  ok(TCB_Resume(a->tcb));
  most_runs = 1;
  set_priority(50);
  set_priority(255);
  check_is(run_counts[0], 0);
  ok(SchedContext_Bind(context, a->tcb));
  wait(done);
  check_is(run_counts[0], 1);
  ok(delete(context));
  word count = run_counts[0];
  set_priority(50);
  set_priority(255);
  check_is(run_counts[0], count);
}

static void run_checks(void) {
  control = boot_info->sched_control_start;
  all_kept = done = make(object_Notification);
  reply = make(object_Reply);
  check_budget();
  check_turns();
  check_consumed();
  check_timeouts();
  check_refills();
  check_limits();
  check_yield();
}
