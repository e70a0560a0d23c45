/* Domains: which threads run in which part of the time. The kernel has three. */
#include "root.h"
#include "runs.h"

enum { microsecond = 1000, domains = 3, turns = 256 };

/* Time in domain 0, where the first task is, in domain 1, in domain 2 and in domain 0 once more. */
static const word lengths[] = {700 * microsecond, 300 * microsecond, 200 * microsecond, 100 * microsecond};
static const word whose[] = {0, 1, 2, 0};
enum { length_of_all = 1300 * microsecond, parts = 4 };

static volatile word seen[8];
static word bell, endpoint;

static void note(word index) {
  seen[index]++;
}

static void set_schedule(void) {
  for (word n = 0; n < parts; n++) ok(DomainSet_ScheduleConfigure(slot_domain, n, whose[n], lengths[n]));
  ok(DomainSet_ScheduleConfigure(slot_domain, parts, 0, 0));
}

static void let_pass(word time) {
  for (word begin = now(); now() - begin < time;) {}
}

/* A thread of a domain that never ends its turns by itself. */
static struct thread *thread_in(word domain, word priority, body *run, word argument) {
  struct thread *thread = new_thread(priority, 0, run, argument);
  ok(SchedControl_ConfigureFlags(boot_info->sched_control_start, 1000000, 1000000, 0, 0, 0, thread->context));
  ok(DomainSet_Set(slot_domain, domain, thread->tcb));
  ok(TCB_Resume(thread->tcb));
  return thread;
}

static void check_refusals(void) {
  it("begins in domain 0, which has all the time");
  check_is(boot_info->init_thread_domain, 0);
  struct thread *thread = thread_in(1, 255, note, 0);
  let_pass(3000 * microsecond);
  check_is(seen[0], 0);
  it("has so many domains and turns, and no schedule without a first turn, or with one that is too short");
  check_is(DomainSet_Set(slot_domain, domains, thread->tcb), error_InvalidArgument);
  check_is(answer(0), 0);
  check_is(DomainSet_ScheduleConfigure(slot_domain, turns, 0, lengths[0]), error_RangeError);
  check_is(answer(0), 0);
  check_is(answer(1), turns - 1);
  check_is(DomainSet_ScheduleConfigure(slot_domain, 0, domains, lengths[0]), error_InvalidArgument);
  check_is(answer(0), 1);
  check_is(DomainSet_ScheduleConfigure(slot_domain, 0, 0, 0), error_InvalidArgument);
  check_is(answer(0), 2);
  check_is(DomainSet_ScheduleConfigure(slot_domain, 0, 0, 19 * microsecond), error_InvalidArgument);
  check_is(DomainSet_ScheduleSetStart(slot_domain, turns), error_RangeError);
  check_is(DomainSet_ScheduleSetStart(slot_domain, 1), error_InvalidArgument);
  check_is(answer(0), 0);
  it("runs a thread that comes into the domain whose turn it is");
  ok(DomainSet_Set(slot_domain, 0, thread->tcb));
  check_is(seen[0], 0);
  set_priority(254);
  check_is(seen[0], 1);
  set_priority(255);
}

/* The first task runs for so many stretches of time, which end when others run or nobody does. */
static void run_stretches(word count) {
  word from = now(), last = from;
  for (run_counts[0] = 0; run_counts[0] < count;) {
    word time = now();
    if (time - last > pause) {
      runs[0][run_counts[0]++] = (struct run){from, last};
      from = time;
    }
    last = time;
  }
}

static void check_schedule(void) {
  struct thread *one = thread_in(1, 10, spin, 1), *two = thread_in(2, 200, spin, 2);
  enum { rounds = 8 };
  it("gives each domain its turns, one after the other, whatever the priorities, and nobody any of another's");
  set_schedule();
  ok(DomainSet_ScheduleSetStart(slot_domain, 0));
  run_stretches(rounds + 1);
  for (word n = 0; n < rounds; n++) {
    check_between(runs[1][n].from - runs[0][n].to, 0, microsecond);
    check_between(runs[1][n].to - runs[1][n].from, lengths[1] - microsecond, lengths[1]);
    check_between(runs[2][n].from - runs[1][n].to, 0, microsecond);
    check_between(runs[2][n].to - runs[2][n].from, lengths[2] - microsecond, lengths[2]);
    check_between(runs[0][n + 1].from - runs[2][n].to, 0, microsecond);
    /* Two turns of domain 0 stand beside one another. */
    if (n > 0) check_between(runs[0][n].to - runs[0][n].from, lengths[0] + lengths[3] - microsecond, lengths[0] + lengths[3]);
  }
  it("has nobody run in the turn of a domain of which nobody can");
  ok(TCB_Suspend(one->tcb));
  run_stretches(4);
  for (word n = 1; n < 4; n++) check_between(runs[0][n].from - runs[0][n - 1].to, 500 * microsecond, 501 * microsecond);
  ok(TCB_Suspend(two->tcb));
  run_stretches(4);
  for (word n = 1; n < 4; n++) check_between(runs[0][n].from - runs[0][n - 1].to, 500 * microsecond, 501 * microsecond);

  it("begins the schedule anew where it is told to, at once, and again there when it ends");
  ok(TCB_Resume(one->tcb));
  ok(TCB_Resume(two->tcb));
  word before = now();
  ok(DomainSet_ScheduleSetStart(slot_domain, 1));
  check_between(now() - before, 500 * microsecond, 502 * microsecond);
  run_stretches(4);
  for (word n = 1; n < 4; n++) check_between(runs[0][n].to - runs[0][n].from, lengths[3] - microsecond, lengths[3]);
  ok(DomainSet_ScheduleSetStart(slot_domain, 3));
  word count = run_counts[1] + run_counts[2];
  let_pass(3 * length_of_all);
  check_is(run_counts[1] + run_counts[2], count);
  ok(DomainSet_ScheduleSetStart(slot_domain, 0));

  it("takes another length from the next time on that a turn comes");
  ok(DomainSet_ScheduleConfigure(slot_domain, 1, 1, 50 * microsecond));
  run_stretches(4);
  for (word n = 1; n < 4; n++) check_between(runs[0][n].from - runs[0][n - 1].to, 250 * microsecond, 252 * microsecond);
  ok(TCB_Suspend(one->tcb));
  ok(TCB_Suspend(two->tcb));
  set_schedule();
}

/* —— Threads of different domains that meet */

static void serve(word own) {
  receive(endpoint, own);
  for (;;) {
    seen[1] = now();
    reply_receive(endpoint, own, (struct message){0});
  }
}

static void listen(word notification) {
  for (;;) {
    wait(notification);
    seen[2] = now();
  }
}

static void check_meetings(void) {
  it("makes its system calls once each, though the turn ends in any of them");
  word badged = mint(bell, all_rights, 0x40), missing = 0;
  for (word begin = now(); now() - begin < 8 * length_of_all;) {
    signal(badged);
    if (poll(bell).badge != 0x40 || poll(bell).badge != 0) missing++;
  }
  check_is(missing, 0);

  it("is answered by a server of another domain in the turn of that, and goes on in its own");
  thread_in(1, 100, serve, make(object_Reply));
  let_pass(length_of_all);
  for (int n = 0; n < 4; n++) {
    run_stretches(1);
    word begin = now();
    call(endpoint, (struct message){0});
    check(seen[1] > begin);
    /* What is left of domain 0's turns, of which that was the beginning; then its own turn. */
    check_between(seen[1] - begin, 700 * microsecond, 801 * microsecond);
    check_between(now() - seen[1], 499 * microsecond, 501 * microsecond);
  }

  it("calls a server of its own domain, and not beyond the end of its turn");
  word near = make(object_Endpoint), own = make(object_Reply);
  endpoint = near;
  thread_in(0, 255, serve, own);
  yield();
  for (int n = 0; n < 5; n++) {
    word from = now(), last;
    do {
      last = now();
      call(near, (struct message){0});
    } while (now() - last < 100 * microsecond);
    if (n > 0) check_between(last - from, 790 * microsecond, 800 * microsecond);
  }

  it("does not let a thread of another domain run that it wakes, whatever its priority");
  word quiet = make(object_Notification);
  set_priority(100);
  thread_in(2, 255, listen, quiet);
  let_pass(length_of_all);
  run_stretches(1);
  word begin = now();
  signal(quiet);
  check_between(now() - begin, 0, 2 * microsecond);
  let_pass(length_of_all);
  check_between(seen[2] - begin, 1090 * microsecond, 1101 * microsecond);
  set_priority(255);

  it("moves itself to another domain, and goes on in the turn of that");
  run_stretches(1);
  begin = now();
  ok(DomainSet_Set(slot_domain, 1, slot_tcb));
  check_between(now() - begin, 790 * microsecond, 802 * microsecond);
  begin = now();
  ok(DomainSet_Set(slot_domain, 0, slot_tcb));
  check_between(now() - begin, 490 * microsecond, 502 * microsecond);
}

static void run_checks(void) {
  bell = make(object_Notification);
  endpoint = make(object_Endpoint);
  check_refusals();
  check_schedule();
  check_meetings();
  /* Domain 0 has all the time again: nobody waits for a turn. */
  ok(DomainSet_ScheduleConfigure(slot_domain, 0, 0, ~0ul));
  ok(DomainSet_ScheduleSetStart(slot_domain, 0));
}
