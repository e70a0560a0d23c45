/* Time to the instruction: how many of them a thread retires in its budget, and who gets the others. */
#include "root.h"

enum { microsecond = 1000, samples = 9, steady = 4, endless = 1000000000 };

static word control, reply, timeouts;

/* Counts its instructions: two in each round, in RAX the rounds begun. */
__asm__(
  ".globl count_instructions, count_jump\n"
  "count_instructions:\n"
  "  inc %rax\n"
  "count_jump:\n"
  "  jmp count_instructions\n");
extern void count_instructions(void), count_jump(void);

/* A thread that has counted nothing yet, and does not run. */
static struct thread *counter(word priority, word budget, word period) {
  struct thread *thread = new_thread(priority, 0, 0, 0);
  word registers[4] = {(word)count_instructions, 0, 0, 0};
  ok(TCB_WriteRegisters(thread->tcb, 0, 4, registers, 4));
  ok(SchedControl_ConfigureFlags(control, budget, period, 0, 0, 0, thread->context));
  return thread;
}

/* The instructions that it has retired. */
static word retired(struct thread *thread) {
  TCB_ReadRegisters(thread->tcb, 0, 4);
  return 2 * answer(3) - (answer(0) == (word)count_jump);
}

/* What is read each time that the budget of the first thread ends: when that was, and what both threads have retired. */
struct sample {
  word time, retired[2];
};

static void sample_timeouts(struct sample *sample, struct thread *timed, struct thread *other) {
  ok(TCB_SetTimeoutEndpoint(timed->tcb, timeouts));
  ok(TCB_Resume(timed->tcb));
  if (other != 0) ok(TCB_Resume(other->tcb));
  receive(timeouts, reply);
  for (word n = 0; n < samples; n++) {
    sample[n].time = now();
    sample[n].retired[0] = retired(timed);
    sample[n].retired[1] = other == 0 ? 0 : retired(other);
    reply_receive(timeouts, reply, (struct message){0});
  }
  ok(TCB_Suspend(timed->tcb));
  if (other != 0) ok(TCB_Suspend(other->tcb));
  send(reply, (struct message){.label = 1});
}

/* Instructions of one thread from each sample to the next, once every period begins as the one before did. */
static word each(struct sample *sample, int whose) {
  word first = sample[steady].retired[whose] - sample[steady - 1].retired[whose];
  for (word n = steady + 1; n < samples; n++) check_is(sample[n].retired[whose] - sample[n - 1].retired[whose], first);
  return first;
}

static void check_budgets(void) {
  static const word budgets[] = {100, 101, 250, 1000};
  enum { period = 4000, count = sizeof budgets / sizeof *budgets };
  struct sample sample[samples];
  word spent[count];
  it("retires the same number of instructions in each period, to the last");
  for (int n = 0; n < count; n++) {
    sample_timeouts(sample, counter(200, budgets[n], period), 0);
    spent[n] = each(sample, 0);
    /* What the kernel took beyond the budget, until it could look, comes off the next: by so much later that begins. */
    word between = sample[steady].time - sample[steady - 1].time;
    check_between(between, period * microsecond, period * microsecond + 100);
    for (word m = steady; m < samples; m++) check_is(sample[m].time - sample[m - 1].time, between);
  }
  it("retires a thousand for each microsecond more, whatever the kernel takes of it");
  for (int n = 1; n < count; n++) check_is(spent[n] - spent[0], (budgets[n] - budgets[0]) * microsecond);
  check_between(budgets[0] * microsecond - spent[0], 1, 5 * microsecond);

  it("leaves the rest of the period to a thread of lower priority, to the instruction");
  word left[count];
  for (int n = 0; n < count; n++) {
    sample_timeouts(sample, counter(200, budgets[n], period), counter(100, endless, endless));
    spent[n] = each(sample, 0);
    left[n] = each(sample, 1);
  }
  for (int n = 1; n < count; n++) {
    check_is(spent[n] - spent[0], (budgets[n] - budgets[0]) * microsecond);
    check_is(left[0] - left[n], (budgets[n] - budgets[0]) * microsecond);
  }

  it("leaves nothing, not one instruction, while it can run itself");
  struct thread *high = counter(200, 1000, 1000), *low = counter(199, 1000, 1000), *clock = counter(201, 50, period);
  ok(TCB_Resume(high->tcb));
  sample_timeouts(sample, clock, low);
  check_is(sample[samples - 1].retired[1], 0);
  check(retired(high) > samples * (period - 100) * microsecond);
  ok(TCB_Suspend(high->tcb));
}

/* —— Calls */

static word endpoint;

static void serve(word argument) {
  (void)argument;
  word own = make(object_Reply);
  receive(endpoint, own);
  for (;;) reply_receive(endpoint, own, (struct message){0});
}

static void check_calls(void) {
  it("is called and answers in the same number of instructions each time");
  endpoint = make(object_Endpoint);
  struct thread *server = start_thread(255, serve, 0);
  yield();
  word took[samples];
  for (word n = 0; n < samples; n++) {
    word begin = now();
    call(endpoint, (struct message){0});
    took[n] = now() - begin;
  }
  for (word n = 2; n < samples; n++) check_is(took[n], took[1]);
  ok(TCB_Suspend(server->tcb));
}

static void run_checks(void) {
  control = boot_info->sched_control_start;
  timeouts = make(object_Endpoint);
  reply = make(object_Reply);
  check_budgets();
  check_calls();
}
