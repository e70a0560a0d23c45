/* Rules about time: budgets, turns, priorities, domains. An instruction takes a nanosecond. */
#include "rules.h"

enum { microsecond = 1000, millisecond = 1000 * microsecond };

static word control, reply, its_reply, faults, done;

static word configure(word context, word budget, word period, word extra_refills, word flags) {
  return SchedControl_ConfigureFlags(control, budget, period, extra_refills, 0x77, flags, context);
}

/* —— When threads ran: from, to. */

enum { most_runs = 256, threads_that_run = 3 };
struct run {
  word from, to, who;
};
static struct run runs[most_runs];
static volatile word run_count;

/* Nobody is away from a loop of a few instructions for so long, but to let others run. */
enum { pause = 400 };

/* The time, looked at no more often than in every hundred instructions. */
static word later(void) {
  for (int n = 0; n < 30; n++) __asm__ volatile("");
  return now();
}

static void note(word who, word from, word to) {
  if (run_count < most_runs) runs[run_count++] = (struct run){from, to, who};
}

static void spin(word who) {
  word from = now(), last = from;
  for (;;) {
    word time = later();
    if (time - last > pause) {
      note(who, from, last);
      from = time;
    }
    last = time;
  }
}

static void let_pass(word time) {
  for (word begin = now(); later() - begin < time;) {}
}

/* —— Timeouts */

static word place;

static void call_place(word argument) {
  (void)argument;
  call(place, message(0, 0));
  seen[2]++;
}

/* Takes longer than its caller's budget. */
static void serve_slowly(word argument) {
  (void)argument;
  system_call(syscall_NBSendRecv, place, (struct message){0}, its_reply, done);
  for (;;) seen[3]++;
}

static void timeouts(void) {
  rule(12);
  struct thread *thread = new_thread(200, 0, spin, 0);
  ok(configure(thread->context, 300, 2000, 0, 0));
  /* Without a handler there is no fault: it waits, and goes on. */
  run_count = 0;
  ok(TCB_Resume(thread->tcb));
  set_priority(100);
  let_pass(5 * millisecond);
  set_priority(255);
  check_is(nb_receive(faults, reply).label, 0);
  check(run_count >= 2);
  /* With one, the fault has the badge of the scheduling context and what was consumed. */
  ok(SchedContext_Consumed(thread->context));
  ok(TCB_SetTimeoutEndpoint(thread->tcb, faults));
  for (int n = 0; n < 2; n++) {
    struct message message = receive(faults, reply);
    check_is(message.label, fault_Timeout);
    check_is(message.length, 2);
    check_is(answer(Timeout_badge), 0x77);
    check_between(answer(Timeout_consumed), 299, 302);
    /* It has the answer, and no time yet: no second fault comes of that. */
    send(reply, (struct message){0});
    set_priority(100);
    let_pass(300 * microsecond);
    set_priority(255);
    check_is(nb_receive(faults, reply).label, 0);
  }
  /* One that has lost its scheduling context by the time that it is told has nothing to say of it. */
  set_priority(100);
  let_pass(2 * millisecond);
  set_priority(255);
  ok(SchedContext_Unbind(thread->context));
  struct message message = nb_receive(faults, reply);
  check_is(message.label, fault_Timeout);
  check_is(message.length, 1);
  ok(TCB_Suspend(thread->tcb));

  /* A caller whose time comes back used up: to have it back is a timeout, if it has a handler. */
  place = make(object_Endpoint);
  struct thread *server = start_thread(200, serve_slowly, 0);
  wait(done);
  let_others_run();
  ok(SchedContext_Unbind(server->context));
  struct thread *client = new_thread(200, 0, call_place, 0);
  ok(configure(client->context, 300, 20000, 0, 0));
  ok(TCB_SetTimeoutEndpoint(client->tcb, faults));
  ok(TCB_Resume(client->tcb));
  set_priority(100);
  let_pass(400 * microsecond);
  set_priority(255);
  check(seen[3] > 0);
  check_is(nb_receive(faults, reply).label, 0);
  seen[2] = 0;
  send(its_reply, (struct message){0});
  check_is(nb_receive(faults, reply).label, fault_Timeout);
  check_is(answer(Timeout_badge), 0x77);
  check_is(seen[2], 0);
  ok(TCB_Suspend(client->tcb));

  /* Of turns that are all of their period there are no timeouts. */
  struct thread *round = new_thread(200, 0, spin, 0);
  ok(configure(round->context, 300, 300, 0, 0));
  ok(TCB_SetTimeoutEndpoint(round->tcb, faults));
  ok(TCB_Resume(round->tcb));
  set_priority(200);
  yield();
  yield();
  set_priority(255);
  check_is(nb_receive(faults, reply).label, 0);
  ok(TCB_Suspend(round->tcb));
}

/* —— Sporadic budgets */

static word bell, effort;

/* Each time that it is woken it runs for a while. */
static void work(word argument) {
  (void)argument;
  for (;;) {
    wait(bell);
    word from = now(), last = from, end = from + effort;
    for (word time; (time = later()) < end; last = time)
      if (time - last > pause) {
        note(0, from, last);
        end += time - last;
        from = time;
      }
    note(0, from, last);
  }
}

enum { budget = 300, period = 2000, length = 6 * millisecond };

/* What it ran altogether, when it was woken at every `every` for `each`; in no window of a period more than its budget. */
static word worked(word extra_refills, word every, word each) {
  struct thread *thread = start_thread(254, work, 0);
  ok(configure(thread->context, budget, period, extra_refills, 1));
  effort = each;
  let_others_run();
  run_count = 0;
  set_priority(253);
  for (word begin = now(), next = begin; next < begin + length; next += every) {
    while (later() < next) {}
    signal(bell);
  }
  set_priority(255);
  ok(TCB_Suspend(thread->tcb));
  word all = 0;
  for (word n = 0; n < run_count; n++) {
    all += runs[n].to - runs[n].from;
    word window = 0, end = runs[n].from + period * microsecond;
    for (word m = n; m < run_count && runs[m].from < end; m++)
      window += (runs[m].to < end ? runs[m].to : end) - runs[m].from;
    check_between(window, 0, budget * microsecond);
  }
  poll(bell);
  return all;
}

static void sporadic(void) {
  rule(13);
  bell = make(object_Notification);
  word least = budget * microsecond, most = length / (period * microsecond) * budget * microsecond;
  /* With room for every part that is used, it has nearly all of its budget in each period; with less room, less. */
  word roomy = worked(6, 500 * microsecond, 100 * microsecond);
  check_between(roomy, most * 3 / 4, most + least);
  word tight = worked(0, 500 * microsecond, 100 * microsecond);
  check_between(tight, most / 4, roomy);
  /* Parts too small for a turn are put together; an overrun comes off what is next. */
  check_between(worked(6, 60 * microsecond, 3 * microsecond), most / 4, most + least);
  check_between(worked(0, 60 * microsecond, 3 * microsecond), least / 2, most + least);
  check_between(worked(6, 3000 * microsecond, 700 * microsecond), least / 2, most + least);
  /* As many as there is memory for. */
  word context = make_sized(object_SchedContext, 8);
  ok(configure(context, budget, period, 8, 1));
  check_is(configure(context, budget, period, 9, 1), error_RangeError);
  check_is(answer(1), 8);
  check_is(configure(make_sized(object_SchedContext, 7), budget, period, 1, 1), error_RangeError);
  check_is(answer(1), 0);
}

/* —— Turns */

static void turns(void) {
  rule(14);
  struct thread *thread[threads_that_run];
  static const word lengths[threads_that_run] = {500, 700, 900};
  run_count = 0;
  for (word who = 0; who < threads_that_run; who++) {
    thread[who] = new_thread(200, 0, spin, who);
    ok(configure(thread[who]->context, lengths[who], lengths[who], 0, 0));
    ok(TCB_Resume(thread[who]->tcb));
  }
  /* It stops them for a moment, and after 7 milliseconds once more. */
  struct thread *clock = start_thread(201, spin, threads_that_run);
  ok(configure(clock->context, 30, 7000, 0, 0));
  ok(TCB_SetTimeoutEndpoint(clock->tcb, faults));
  receive(faults, reply);
  word first = run_count;
  send(reply, (struct message){0});
  receive(faults, reply);
  for (word who = 0; who < threads_that_run; who++) ok(TCB_Suspend(thread[who]->tcb));
  ok(TCB_Suspend(clock->tcb));
  check(run_count >= 8);
  word whole = 0;
  for (word n = first + 1; n + 1 < run_count; n++) {
    if (runs[n].who == threads_that_run) continue;
    /* Each has its whole turn, one after the other. */
    if (runs[n + 1].who < threads_that_run) check_is(runs[n + 1].who != runs[n].who, 1);
    word took = runs[n].to - runs[n].from;
    check_between(took, 0, lengths[runs[n].who] * microsecond);
    whole += took > (lengths[runs[n].who] - 1) * microsecond;
  }
  check(whole >= 5);
}

/* —— Priorities */

static void be_there(word argument) {
  seen[argument]++;
}

static void priorities(void) {
  rule(15);
  struct thread *authority = new_thread(10, 0, be_there, 8), *thread = new_thread(10, 0, be_there, 9);
  ok(TCB_SetMCPriority(authority->tcb, 60, slot_tcb));
  /* The authority's maximum counts, not its priority, nor the maximum of whose priority it is. */
  ok(TCB_SetMCPriority(thread->tcb, 5, slot_tcb));
  ok(TCB_SetPriority(thread->tcb, 60, authority->tcb));
  check_is(TCB_SetPriority(thread->tcb, 61, authority->tcb), error_RangeError);
  check_is(answer(0), 0);
  check_is(answer(1), 60);
  check_is(TCB_SetMCPriority(thread->tcb, 61, authority->tcb), error_RangeError);
  check_is(TCB_SetSchedParams(thread->tcb, 61, 1, authority->tcb, thread->context, 0), error_RangeError);
  check_is(TCB_SetSchedParams(thread->tcb, 1, 61, authority->tcb, thread->context, 0), error_RangeError);
  check_is(TCB_SetPriority(thread->tcb, 60, thread->tcb), error_RangeError);
  check_is(answer(1), 5);
  /* There are 256, and no more. */
  ok(TCB_SetPriority(thread->tcb, 255, slot_tcb));
  check_is(TCB_SetPriority(thread->tcb, 256, slot_tcb), error_RangeError);
  check_is(answer(1), 255);
  check_is(TCB_SetPriority(thread->tcb, 1ul << 32, slot_tcb), error_RangeError);
  /* A maximum that is lowered changes no priority. */
  ok(TCB_SetMCPriority(thread->tcb, 0, slot_tcb));
  seen[9] = 0;
  ok(TCB_Resume(thread->tcb));
  set_priority(254);
  check_is(seen[9], 1);
  set_priority(255);
  ok(TCB_SetPriority(thread->tcb, 0, thread->tcb));
  check_is(TCB_SetPriority(thread->tcb, 1, thread->tcb), error_RangeError);
}

static void domains(void) {
  rule(16);
  check_is(boot_info->init_thread_domain, 0);
  struct thread *thread = new_thread(200, 0, be_there, 10);
  ok(DomainSet_Set(slot_domain, 0, thread->tcb));
  check_is(DomainSet_Set(slot_domain, 1, thread->tcb), error_InvalidArgument);
  check_is(answer(0), 0);
  check_is(DomainSet_Set(slot_domain, 0, faults), error_InvalidArgument);
  check_is(answer(0), 1);
  check_is(DomainSet_ScheduleConfigure(slot_domain, 0, 1, millisecond), error_InvalidArgument);
  check_is(DomainSet_ScheduleConfigure(slot_domain, 256, 0, millisecond), error_RangeError);
  check_is(DomainSet_ScheduleSetStart(slot_domain, 256), error_RangeError);
  ok(DomainSet_ScheduleConfigure(slot_domain, 0, 0, millisecond));
  ok(DomainSet_ScheduleSetStart(slot_domain, 0));
  /* There is one, and everybody runs in it. */
  seen[10] = 0;
  ok(TCB_Resume(thread->tcb));
  let_others_run();
  check_is(seen[10], 1);
}

static void run_checks(void) {
  control = boot_info->sched_control_start;
  reply = make(object_Reply);
  its_reply = make(object_Reply);
  faults = make(object_Endpoint);
  done = make(object_Notification);
  timeouts();
  sporadic();
  turns();
  priorities();
  domains();
}
